package charter

// findIP6 proves a global IPv6 address around its first colon, at i: eight groups,
// or three and more with "::", in the range that is given out (2000::/3), and no
// documentation or public resolver's.
func findIP6(text []byte, i int) span {
	start := i
	for start > 0 && i-start < 5 && hexByte(text[start-1]) {
		start--
	}
	if i-start != 4 || text[start] != '2' && text[start] != '3' || start > 0 && (wordByte(text[start-1]) || text[start-1] == ':' || text[start-1] == '.') {
		return span{}
	}
	groups, gap := 1, false
	end := i
	for end < len(text) && text[end] == ':' && groups < 9 {
		next := end + 1
		if next < len(text) && text[next] == ':' {
			if gap {
				return span{}
			}
			gap = true
			next++
		}
		at := next
		for at < len(text) && at-next < 5 && hexByte(text[at]) {
			at++
		}
		if at == next { // ends in "::", or the colon is the sentence's
			if gap && text[next-1] == ':' && text[next-2] == ':' {
				end = next
			}
			break
		}
		if at-next > 4 {
			return span{}
		}
		groups++
		end = at
	}
	if end < len(text) && wordByte(text[end]) || gap && (groups < 3 || groups > 7) || !gap && groups != 8 {
		return span{}
	}
	a := text[start:end]
	for _, p := range [...]string{"2001:db8:", "2001:0db8:", "2001:4860:4860:", "2606:4700:4700:", "2620:fe:", "2001::", "3fff:"} {
		if hasPrefixFold(a, p) {
			return span{}
		}
	}
	return span{int32(start), int32(end)}
}

func hexByte(c byte) bool { return class[c] == isDigit || c|0x20 >= 'a' && c|0x20 <= 'f' }
