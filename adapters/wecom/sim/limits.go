package sim

import "time"

// Limits are how often calls may come. A zero is what the vendor publishes (访问频率限制):
// https://developer.work.weixin.qq.com/document/path/90312.
type Limits struct {
	CorpMinute, CorpHour int // calls of one API by the company: 10,000 and 150,000
	IPMinute, IPHour     int // calls of one API from one address: 20,000 and 600,000
	// Concurrent is how many calls of one API may run at once. That there is a limit is documented, which is not; zero
	// is 100.
	Concurrent int
	// WrongSecrets is how many wrong secrets an address may try before it is shut out for an hour. That it is shut out
	// is documented, after how many is not; zero is 10.
	WrongSecrets int
	// MemberMinute and MemberHour are how many messages of one app reach one member, 30 and 1,000; the rest is dropped.
	MemberMinute, MemberHour int
}

func (l Limits) orPublished() Limits {
	for _, d := range []struct {
		field     *int
		published int
	}{
		{&l.CorpMinute, 10_000}, {&l.CorpHour, 150_000}, {&l.IPMinute, 20_000}, {&l.IPHour, 600_000},
		{&l.Concurrent, 100}, {&l.WrongSecrets, 10},
		{&l.MemberMinute, 30}, {&l.MemberHour, 1000},
	} {
		if *d.field == 0 {
			*d.field = d.published
		}
	}
	return l
}

// meter counts the calls of one caller to one API by the minute and by the hour. Who exceeds the one is shut out for 60
// seconds, who exceeds the other for 60 minutes.
type meter struct {
	minute, hour window
	shut         time.Time
}

type window struct {
	start time.Time
	n     int
}

// exceeds counts one more and says whether that is too many.
func (w *window) exceeds(now time.Time, span time.Duration, limit int) bool {
	if now.Sub(w.start) >= span {
		*w = window{start: now}
	}
	w.n++
	return w.n > limit
}

// admit counts a call and says whether it may go on.
func (m *meter) admit(now time.Time, perMinute, perHour int) bool {
	if now.Before(m.shut) {
		return false
	}
	minute, hour := m.minute.exceeds(now, time.Minute, perMinute), m.hour.exceeds(now, time.Hour, perHour)
	switch {
	case hour:
		m.shut = now.Add(time.Hour)
	case minute:
		m.shut = now.Add(time.Minute)
	}
	return !hour && !minute
}

// meters are the meters by caller and API. They are not kept: a simulator that starts again has counted nothing.
type meters map[string]*meter

func (ms meters) of(caller, api string) *meter {
	key := caller + " " + api
	if ms[key] == nil {
		ms[key] = &meter{}
	}
	return ms[key]
}
