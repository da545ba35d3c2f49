package witness

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// What the specification calls the call, and the type of a 409's answer.
const (
	addCheckpoint = "/add-checkpoint"
	typeSize      = "text/x.tlog.size"
	typeText      = "text/plain; charset=utf-8"
)

// NewHandler serves w's write API: POST /add-checkpoint. Errors are one line.
func NewHandler(w *Witness) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+addCheckpoint, func(rw http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(rw, req.Body, MaxRequest))
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			answer(rw, http.StatusRequestEntityTooLarge, typeText, fmt.Appendf(nil, "at most %d bytes\n", tooLarge.Limit))
			return
		}
		if err != nil {
			answer(rw, http.StatusBadRequest, typeText, []byte("the body ends early\n"))
			return
		}
		line, err := w.AddCheckpoint(body)
		if err != nil {
			refuse(rw, err)
			return
		}
		answer(rw, http.StatusOK, typeText, line)
	})
	return mux
}

// refuse answers with what an error is in the protocol.
func refuse(rw http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var conflict *ConflictError
	switch {
	case errors.As(err, &conflict):
		answer(rw, http.StatusConflict, typeSize, fmt.Appendf(nil, "%d\n", conflict.Size))
		return
	case errors.Is(err, ErrRequest):
		status = http.StatusBadRequest
	case errors.Is(err, ErrSignature):
		status = http.StatusForbidden
	case errors.Is(err, ErrUnknownLog):
		status = http.StatusNotFound
	case errors.Is(err, ErrConsistency):
		status = http.StatusUnprocessableEntity
	}
	answer(rw, status, typeText, []byte(err.Error()+"\n"))
}

func answer(rw http.ResponseWriter, status int, contentType string, body []byte) {
	h := rw.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	rw.WriteHeader(status)
	rw.Write(body) // a client that is gone is no concern of ours
}
