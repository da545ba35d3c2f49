package main

import (
	"errors"
	"strings"
	"testing"
)

func TestTheLogQuotesNoPersonalData(t *testing.T) {
	var b strings.Builder
	p := newProcess(&b)
	p.log.Error("reload failed", "error", errors.New("clients[0]: petra.haddad@northgatemail.com is no role"))
	if got := b.String(); !strings.Contains(got, "clients[0]: [email] is no role") {
		t.Errorf("logged %s", got)
	}
}
