package app

import (
	"net/http"
	"strings"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// importErrors gives the refused rows of an import, to those who may see it.
func (s *server) importErrors(w http.ResponseWriter, r *http.Request) {
	l := fault.Speak(r.Header.Get("Accept-Language"))
	refuse := func(status int, f *fault.Error) {
		answer(w, status, map[string]string{"code": string(f.Code), "error": f.Text(l)})
	}
	at, err := s.signIn(r)
	if err != nil {
		if fault.Is(err, fault.Unauthenticated) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(http.StatusUnauthorized, fault.As(err))
			return
		}
		refuse(http.StatusServiceUnavailable, fault.As(err))
		return
	}
	ref, ok := nodeid.Decode(r.PathValue("id"))
	var seen map[im.ID]im.Import
	if ok && ref.Kind == im.KindImport {
		if seen, err = s.files.See(r.Context(), at.Viewer, []im.ID{ref.ID}); err != nil {
			refuse(http.StatusServiceUnavailable, fault.As(err))
			return
		}
	}
	if _, ok := seen[ref.ID]; !ok {
		refuse(http.StatusNotFound, fault.New(fault.NotFound, "not_found_import"))
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="errors.csv"`)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if err := s.files.WriteErrors(r.Context(), w, ref.ID, l); err != nil && r.Context().Err() == nil {
		s.log.WarnContext(r.Context(), "the refused rows of an import could not be given whole", "import", ref.ID.String(), "error", err)
		panic(http.ErrAbortHandler) // the client must not take a part for all
	}
}

// signIn believes the one credential of a request.
func (s *server) signIn(r *http.Request) (im.Session, error) {
	key, authorization := r.Header.Get("X-API-Key"), r.Header.Get("Authorization")
	scheme, token, ok := strings.Cut(authorization, " ")
	switch {
	case key != "" && authorization == "":
		return s.who.AuthenticateKey(r.Context(), key)
	case key == "" && ok && strings.EqualFold(scheme, "Bearer"):
		return s.who.Authenticate(r.Context(), strings.TrimSpace(token))
	}
	return im.Session{}, fault.New(fault.Unauthenticated, "unauthenticated")
}
