package answer

// A calculation is arithmetic left undone in an answer, such as
// "12.48 - (0.03 * 16)", and the way to its exact value.
type calculation struct {
	s      string
	i      int
	ops    int
	tight  bool // a minus without spaces: 5-10 may be a range
	others bool // an operator but a minus
}

// sum, product, power and term read by falling precedence; each gives up, ok
// false, where it finds no number, no room, or a division by zero.
func (c *calculation) sum(depth int) (r ratio, ok bool) {
	if r, ok = c.product(depth); !ok {
		return r, false
	}
	for {
		j := skip(c.s, c.i, " ")
		if j == len(c.s) || c.s[j] != '+' && c.s[j] != '-' {
			return r, true
		}
		minus := c.s[j] == '-'
		c.tight = c.tight || minus && j == c.i && (j+1 == len(c.s) || c.s[j+1] != ' ')
		c.others = c.others || !minus
		c.i = j + 1
		o, ok := c.product(depth)
		if !ok {
			return r, false
		}
		if minus {
			o = o.neg()
		}
		if r, ok = r.add(o); !ok {
			return r, false
		}
		c.ops++
	}
}

func (c *calculation) product(depth int) (r ratio, ok bool) {
	if r, ok = c.power(depth); !ok {
		return r, false
	}
	for slashes := 0; ; {
		j := skip(c.s, c.i, " ")
		if j == len(c.s) || c.s[j] != '*' && c.s[j] != '/' && !(c.s[j] == 'x' && j+1 < len(c.s) && c.s[j+1] == ' ') {
			return r, true
		}
		divide := c.s[j] == '/'
		if divide {
			if slashes++; slashes > 1 && j == c.i {
				return r, false // 3/4/2020
			}
		}
		c.i = j + 1
		o, ok := c.power(depth)
		if ok && divide {
			o, ok = o.inverse()
		}
		if !ok {
			return r, false
		}
		if r, ok = r.mul(o); !ok {
			return r, false
		}
		c.ops++
		c.others = true
	}
}

func (c *calculation) power(depth int) (r ratio, ok bool) {
	if r, ok = c.term(depth); !ok {
		return r, false
	}
	if c.i == len(c.s) || c.s[c.i] != '^' {
		return r, true
	}
	c.i++
	braces := c.i < len(c.s) && c.s[c.i] == '{'
	if braces {
		c.i++
	}
	n := 0
	from := c.i
	for c.i < len(c.s) && isDigit(c.s[c.i]) && n < 64 {
		n = n*10 + int(c.s[c.i]-'0')
		c.i++
	}
	if c.i == from || n > 64 || braces && (c.i == len(c.s) || c.s[c.i] != '}') {
		return r, false
	}
	if braces {
		c.i++
	}
	base := r
	r = ratio{1, 1}
	for range n {
		if r, ok = r.mul(base); !ok {
			return r, false
		}
	}
	c.ops++
	c.others = true
	return r, true
}

func (c *calculation) term(depth int) (r ratio, ok bool) {
	c.i = skip(c.s, c.i, " ")
	if c.i == len(c.s) || depth > 16 {
		return r, false
	}
	switch c.s[c.i] {
	case '-':
		c.i++
		r, ok = c.power(depth + 1)
		return r.neg(), ok
	case '(', '{', '[':
		c.i++
		if r, ok = c.sum(depth + 1); !ok {
			return r, false
		}
		c.i = skip(c.s, c.i, " ")
		if c.i == len(c.s) || c.s[c.i] != ')' && c.s[c.i] != '}' && c.s[c.i] != ']' {
			return r, false
		}
		c.i++
		c.ops++
		c.others = true
		return r, true
	}
	d, end, ok := readSeparated(c.s, c.i)
	if !ok {
		return r, false
	}
	c.i = end
	return d.ratio()
}

// isRange reports whether what was read as a difference is rather a range: 5-10.
func (c *calculation) isRange() bool { return c.tight && !c.others }
