package sim

import (
	"errors"
	"math/big"
	"regexp"
	"strings"
)

// Arithmetic in prompts is computed exactly, on fractions. Bounds keep a
// hostile expression from costing anything: its length, its depth, and that a
// power has a small exponent.
const (
	maxExpression = 120
	maxDepth      = 16
	maxExponent   = 12
	maxBits       = 256
)

var errArithmetic = errors.New("sim: not an arithmetic expression")

// operatorWords are the words that stand for operators, longest first, since
// the first that fits is taken.
var operatorWords = strings.NewReplacer(
	" multiplied by ", " * ", " divided by ", " / ", " times ", " * ", " plus ", " + ", " minus ", " - ",
	"×", "*", "÷", "/", "−", "-", "·", "*", "**", "^", ",", "",
)

// expression is a run of numbers with at least one operator between; a date or
// a version ("2024-05-01", "1.2.3") is none, nor is a range without spaces.
var (
	expression = regexp.MustCompile(`[-(\s]*\d[\d.]*[\d.()\s+*/^-]*`)
	operation  = regexp.MustCompile(`[\d)]\s*(?:[+*/^]|\s-)\s*[(-]*\s*\d|\d\s*-\s+\d|^\s*\d+-\d+\s*$`)
	dateLike   = regexp.MustCompile(`\d{4}-\d{2}-\d{2}|\d+\.\d+\.\d+`)
	asksForSum = regexp.MustCompile(`(?i)what(?:'s| is)|how much|calculat|comput|evaluat|solve|result|sum |=`)
)

// arithmetic finds the longest expression that prompt asks for and gives its
// value as text: an integer, or a decimal of at most six places.
func arithmetic(prompt string) (string, bool) {
	if len(prompt) > 400 || dateLike.MatchString(prompt) {
		return "", false
	}
	plain := operatorWords.Replace(prompt)
	longest := ""
	for _, found := range expression.FindAllString(plain, -1) {
		found = strings.TrimRight(found, " \t\r\n.(+*/^-")
		if operation.MatchString(found) && len(found) > len(longest) {
			longest = found
		}
	}
	if longest == "" || len(longest) > maxExpression {
		return "", false
	}
	bare := strings.Trim(plain, " \t\r\n?.!=") == strings.TrimSpace(longest)
	if !bare && !asksForSum.MatchString(prompt) {
		return "", false
	}
	value, err := evaluate(longest)
	if err != nil {
		return "", false
	}
	return decimal(value), true
}

func decimal(v *big.Rat) string {
	if v.IsInt() {
		return v.Num().String()
	}
	return strings.TrimRight(strings.TrimRight(v.FloatString(6), "0"), ".")
}

// evaluate computes + - * / ^ and parentheses over decimals.
func evaluate(s string) (*big.Rat, error) {
	p := parser{rest: s}
	v, err := p.sum(0)
	if err != nil {
		return nil, err
	}
	if p.peek() != 0 {
		return nil, errArithmetic
	}
	return v, nil
}

// parser is a recursive descent over one expression: sums of products of
// powers of signed numbers.
type parser struct{ rest string }

// peek is the next byte that is no space, 0 at the end.
func (p *parser) peek() byte {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	if p.rest == "" {
		return 0
	}
	return p.rest[0]
}

func (p *parser) sum(depth int) (*big.Rat, error) {
	v, err := p.product(depth)
	for err == nil {
		op := p.peek()
		if op != '+' && op != '-' {
			return v, nil
		}
		p.rest = p.rest[1:]
		var w *big.Rat
		if w, err = p.product(depth); err != nil {
			break
		}
		if op == '-' {
			w.Neg(w)
		}
		v, err = bounded(v.Add(v, w))
	}
	return nil, err
}

func (p *parser) product(depth int) (*big.Rat, error) {
	v, err := p.power(depth)
	for err == nil {
		op := p.peek()
		if op != '*' && op != '/' {
			return v, nil
		}
		p.rest = p.rest[1:]
		var w *big.Rat
		if w, err = p.power(depth); err != nil {
			break
		}
		if op == '/' {
			if w.Sign() == 0 {
				return nil, errArithmetic
			}
			w.Inv(w)
		}
		v, err = bounded(v.Mul(v, w))
	}
	return nil, err
}

// power binds tighter than a sign before it: -2^2 is -4.
func (p *parser) power(depth int) (*big.Rat, error) {
	if depth >= maxDepth {
		return nil, errArithmetic
	}
	if p.peek() == '-' {
		p.rest = p.rest[1:]
		v, err := p.power(depth + 1)
		if err != nil {
			return nil, err
		}
		return v.Neg(v), nil
	}
	base, err := p.atom(depth)
	if err != nil || p.peek() != '^' {
		return base, err
	}
	p.rest = p.rest[1:]
	exponent, err := p.power(depth + 1)
	if err != nil {
		return nil, err
	}
	if !exponent.IsInt() || exponent.Sign() < 0 || exponent.Cmp(big.NewRat(maxExponent, 1)) > 0 {
		return nil, errArithmetic
	}
	v := big.NewRat(1, 1)
	for range exponent.Num().Int64() {
		if v, err = bounded(v.Mul(v, base)); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (p *parser) atom(depth int) (*big.Rat, error) {
	if p.peek() == '(' {
		p.rest = p.rest[1:]
		v, err := p.sum(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.peek() != ')' {
			return nil, errArithmetic
		}
		p.rest = p.rest[1:]
		return v, nil
	}
	end := strings.IndexFunc(p.rest, func(c rune) bool { return (c < '0' || c > '9') && c != '.' })
	if end < 0 {
		end = len(p.rest)
	}
	number := p.rest[:end]
	p.rest = p.rest[end:]
	if number == "" || len(number) > 24 || strings.Count(number, ".") > 1 || number == "." {
		return nil, errArithmetic
	}
	v, ok := new(big.Rat).SetString(number)
	if !ok {
		return nil, errArithmetic
	}
	return v, nil
}

func bounded(v *big.Rat) (*big.Rat, error) {
	if v.Num().BitLen() > maxBits || v.Denom().BitLen() > maxBits {
		return nil, errArithmetic
	}
	return v, nil
}
