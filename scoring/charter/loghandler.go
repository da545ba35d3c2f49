package charter

import (
	"context"
	"fmt"
	"log/slog"
)

// LogHandler redacts what is logged through it before next gets it: the message,
// and every attribute that is no number, time or truth value.
func (r *Redactor) LogHandler(next slog.Handler) slog.Handler { return &logHandler{next, r} }

type logHandler struct {
	next     slog.Handler
	redactor *Redactor
}

func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *logHandler) Handle(ctx context.Context, rec slog.Record) error {
	out := slog.NewRecord(rec.Time, rec.Level, h.redactor.String(rec.Message), rec.PC)
	rec.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(h.redactor.attr(a))
		return true
	})
	return h.next.Handle(ctx, out)
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.next.WithAttrs(h.redactor.attrs(attrs)), h.redactor}
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	return &logHandler{h.next.WithGroup(h.redactor.String(name)), h.redactor}
}

func (r *Redactor) attrs(attrs []slog.Attr) []slog.Attr {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = r.attr(a)
	}
	return out
}

func (r *Redactor) attr(a slog.Attr) slog.Attr {
	a.Key = r.String(a.Key)
	switch a.Value = a.Value.Resolve(); a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(r.named(a.Key, a.Value.String()))
	case slog.KindGroup:
		a.Value = slog.GroupValue(r.attrs(a.Value.Group())...)
	case slog.KindAny:
		// Left as it is, for the handler to write in its way, unless what it says
		// has something in it.
		said := fmt.Sprint(a.Value.Any())
		if redacted := r.named(a.Key, said); redacted != said {
			a.Value = slog.StringValue(redacted)
		}
	}
	return a
}

// named is the value of an attribute redacted: also what is found only behind
// the word that is its key, as in password=….
func (r *Redactor) named(key, value string) string {
	value = r.String(value)
	before := key + "="
	if all := r.String(before + value); len(all) >= len(before) && all[:len(before)] == before {
		return all[len(before):]
	}
	return allRedacted // the key was part of it
}
