package main

import (
	"fmt"
	"slices"

	"github.com/kaizen-os/deliberation/quorum"
)

// ClientConfig is one caller's key and what it may do.
type ClientConfig struct {
	Name      string
	Role      string // client, citizen, companion, sentinel, steward or monitor
	KeySHA256 [32]byte
	Tier      quorum.Tier     // the highest it may ask at
	PerSecond float64         // 0 is no limit
	PerDay    quorum.MicroUSD // what its deliberations may cost; 0 is no limit
	Companion quorum.CompanionID
}

type fileClient struct {
	Name      leaf `yaml:"name"`
	Role      leaf `yaml:"role"`
	KeySHA256 leaf `yaml:"keySHA256"`
	Tier      leaf `yaml:"tier"`
	PerSecond leaf `yaml:"perSecond"`
	Budget    struct {
		PerDay leaf `yaml:"perDay"`
	} `yaml:"budget"`
	Companion leaf `yaml:"companion"`
}

func (r *resolver) clients(c *Config, list []fileClient) {
	names, keys := map[string]int{}, map[[32]byte]int{}
	for i := range list {
		doc, path := &list[i], fmt.Sprintf("clients[%d]", i)
		client := ClientConfig{
			Name:      r.required(doc.Name, path+".name"),
			Role:      r.oneOf(doc.Role, path+".role", clientRoles, "client"),
			KeySHA256: r.keyHash(doc.KeySHA256, path+".keySHA256"),
			Tier:      r.tier(doc.Tier, path+".tier", quorum.Standard),
			PerSecond: r.decimal(doc.PerSecond, path+".perSecond", 0, maxCount, 0),
			PerDay:    r.dollars(doc.Budget.PerDay, path+".budget.perDay"),
			Companion: quorum.CompanionID(r.text(doc.Companion, path+".companion", "")),
		}
		if first, twice := names[client.Name]; twice && client.Name != "" {
			r.problem(doc.Name, path+".name", "%s is also clients[%d]", client.Name, first)
		}
		if first, twice := keys[client.KeySHA256]; twice && client.KeySHA256 != ([32]byte{}) {
			r.problem(doc.KeySHA256, path+".keySHA256", "is also that of clients[%d]: a key has one owner", first)
		}
		names[client.Name], keys[client.KeySHA256] = i, i
		r.clientCompanion(c, doc, path, client)
		c.Clients = append(c.Clients, client)
	}
}

// clientCompanion checks that a key that speaks for a companion says for which,
// and that no other does.
func (r *resolver) clientCompanion(c *Config, doc *fileClient, path string, client ClientConfig) {
	speaks := client.Role == "companion" || client.Role == "sentinel"
	known := func(cc CompanionConfig) bool { return cc.ID == client.Companion }
	switch {
	case speaks && client.Companion == "":
		r.problem(doc.Role, path+".companion", "must be given for role %s: whose key it is", client.Role)
	case !speaks && client.Companion != "":
		r.problem(doc.Companion, path+".companion", "only for roles companion and sentinel")
	case client.Companion == "":
	case !client.Companion.Valid():
		r.problem(doc.Companion, path+".companion", "want 1 to 64 of A-Z, 0-9, _ and -, starting with a letter or digit")
	case len(c.Companions) > 0 && !slices.ContainsFunc(c.Companions, known):
		r.problem(doc.Companion, path+".companion", "%s is not among companions", client.Companion)
	}
}
