package charter

// A Redactor puts the kind of a thing, such as "[email]", in the place of the
// personal data and secrets that a [Scorer] finds in a reply; in lines and
// messages made of text that this program did not write. It is safe for
// concurrent use.
//
// What it gives holds nothing that it would find again. It costs what scoring a
// reply costs, so it is for logs and errors, not for every request.
type Redactor struct{ scorer *Scorer }

// Redactor is one by s's detectors.
func (s *Scorer) Redactor() *Redactor { return &Redactor{s} }

// Append appends text to dst, redacted. It allocates nothing where dst has room
// and there is nothing to redact.
func (r *Redactor) Append(dst []byte, text string) []byte {
	w := r.scorer.pool.take(len(text))
	defer r.scorer.pool.give(w, len(text))
	redacted, found := w.redact(r.scorer.table, text)
	if !found {
		return append(dst, text...)
	}
	return append(dst, redacted...)
}

// String is text redacted; text itself, and nothing allocated, where there is
// nothing to redact.
func (r *Redactor) String(text string) string {
	w := r.scorer.pool.take(len(text))
	defer r.scorer.pool.give(w, len(text))
	redacted, found := w.redact(r.scorer.table, text)
	if !found {
		return text
	}
	return redacted
}

// marks is what stands for an item of each kind. None has in it what a detector
// looks for, nor a word that announces an item.
var marks = [kinds]string{
	email: "[email]", phone: "[phone]", card: "[card]", iban: "[iban]", ssn: "[ssn]", nationalID: "[id]", ipAddress: "[ip]", street: "[address]",
	birthDate: "[birth]", wallet: "[wallet]", secretToken: "[credential]", webToken: "[jwt]", privateKey: "[pem]", credentialURL: "[url]",
	password: "[pass]", keyValue: "[credential]", document: "[document]",
}

// allRedacted stands for a text that does not come to rest.
const allRedacted = "[redacted]"

// mostPasses bounds how often a text is looked through. What is put in may
// uncover what stood in its shadow: of two numbers that touch, the second.
const mostPasses = 8

func (s *scratch) redact(t *table, text string) (redacted string, found bool) {
	for range mostPasses {
		s.detect(t, text)
		if len(s.spans) == 0 {
			s.reset()
			return text, found
		}
		found = true
		text = s.mark(text)
		s.reset()
	}
	s.detect(t, text)
	if len(s.spans) > 0 {
		text = allRedacted
	}
	s.reset()
	return text, found
}

// mark puts marks in the place of s.spans. Where some overlap, one mark stands
// for all.
func (s *scratch) mark(text string) string {
	s.sortSpans()
	out := make([]byte, 0, len(text))
	kept := 0
	for i := 0; i < len(s.spans); {
		f := s.spans[i]
		for i++; i < len(s.spans) && s.spans[i].start < f.end; i++ {
			f.end = max(f.end, s.spans[i].end)
		}
		from, until := s.folded.origin(int(f.start), int(f.end))
		if from = max(from, kept); until <= from { // both within one rune
			continue
		}
		out = append(out, text[kept:from]...)
		out = append(out, marks[f.kind]...)
		kept = until
	}
	return string(append(out, text[kept:]...))
}
