package stage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// format is the version of the journal's lines.
const format = 1

// header is a journal's first line.
type header struct {
	Platform string          `json:"platform"`
	Format   int             `json:"format"`
	Seed     json.RawMessage `json:"seed"`
}

// record is any other line: one of these.
type record struct {
	Entry *Entry         `json:"entry,omitempty"`
	Ahead *time.Duration `json:"ahead,omitempty"` // the clock was put forward: so far before real time, in nanoseconds
}

// past is what a journal held when it was opened.
type past struct {
	seed    json.RawMessage
	records []record
}

// journal is a file of JSON lines that is only ever appended to. A nil journal keeps nothing.
type journal struct {
	file    *os.File
	write   sync.Mutex
	written int64
	failed  error // after it nothing is written: a line may stand half
	flush   sync.Mutex
	synced  int64
}

// openJournal opens or makes the file. A last line without its end was being written when the process died; nobody was
// answered on its strength, so it is dropped. Any other line that cannot be read is an error.
func openJournal(path string, h header) (*journal, past, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, past{}, err
	}
	j := &journal{file: file}
	p, err := j.read(h)
	return j, p, err
}

func (j *journal) read(h header) (past, error) {
	text, err := os.ReadFile(j.file.Name())
	if err != nil {
		return past{}, err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if err := j.file.Truncate(int64(whole)); err != nil {
		return past{}, err
	}
	if _, err := j.file.Seek(int64(whole), 0); err != nil {
		return past{}, err
	}
	if whole == 0 {
		if err := errors.Join(j.append(h), j.sync(), syncDirectory(filepath.Dir(j.file.Name()))); err != nil {
			return past{}, err
		}
		return past{seed: h.Seed}, nil
	}
	lines := bytes.SplitAfter(text[:whole], []byte("\n"))
	lines = lines[:len(lines)-1]
	var was header
	if err := json.Unmarshal(lines[0], &was); err != nil || was.Platform != h.Platform || was.Format != h.Format {
		return past{}, fmt.Errorf("%s: not the state of a %s simulator of this version", j.file.Name(), h.Platform)
	}
	p := past{seed: was.Seed, records: make([]record, len(lines)-1)}
	for i, line := range lines[1:] {
		if err := json.Unmarshal(line, &p.records[i]); err != nil {
			return past{}, fmt.Errorf("%s: line %d: %w", j.file.Name(), i+2, err)
		}
	}
	return p, nil
}

// append writes one line, which is not yet sure to survive the machine: see [journal.sync].
func (j *journal) append(v any) error {
	if j == nil {
		return nil
	}
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	j.write.Lock()
	defer j.write.Unlock()
	if j.failed != nil {
		return j.failed
	}
	n, err := j.file.Write(append(line, '\n'))
	j.written += int64(n)
	j.failed = err
	return err
}

// sync returns once all that was appended before is on disk. Calls that come while the disk is busy share its next turn.
func (j *journal) sync() error {
	if j == nil {
		return nil
	}
	j.write.Lock()
	mine := j.written
	j.write.Unlock()
	j.flush.Lock()
	defer j.flush.Unlock()
	if j.synced >= mine {
		return nil
	}
	j.write.Lock()
	all, err := j.written, j.failed
	j.write.Unlock()
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil { // what the kernel could not write it may have forgotten: a second try would lie
		j.write.Lock()
		j.failed = err
		j.write.Unlock()
		return err
	}
	j.synced = all
	return nil
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}

// syncDirectory makes the name of a new file survive.
func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
