package eval

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/quorum"
)

// ErrPanels is a panels.json that does not fit its recordings.
var ErrPanels = errors.New("eval: panels.json")

// A panel is models of one recording that deliberate together.
type panel struct {
	name       string // "all", or as panels.json names it
	companions []sim.Companion
	columns    []int // of each in the recording's replies
}

// setPanels is what panels.json says of one recording.
type setPanels struct {
	Tiers  map[string]float64  `json:"tiers"`
	Panels map[string][]string `json:"panels"`
}

// readPanels reads panels.json, by recording. Names that begin with '_' are
// remarks.
func readPanels(path string) (map[string]setPanels, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPanels, err)
	}
	return decodePanels(raw)
}

func decodePanels(raw []byte) (map[string]setPanels, error) {
	var values map[string]jsontext.Value
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPanels, err)
	}
	sets := map[string]setPanels{}
	for name, value := range values {
		if strings.HasPrefix(name, "_") {
			continue
		}
		var set setPanels
		if err := json.Unmarshal(value, &set); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrPanels, name, err)
		}
		for model, weight := range set.Tiers {
			if _, _, err := tierOf(weight); err != nil {
				return nil, fmt.Errorf("%w: %s: %s: %w", ErrPanels, name, model, err)
			}
		}
		sets[name] = set
	}
	return sets, nil
}

// tierOf is the tier of a tier weight, and what to write as the companion's own.
func tierOf(weight float64) (quorum.Tier, string, error) {
	switch weight {
	case 1.0:
		return quorum.Critical, "", nil
	case 0.9:
		return quorum.High, "", nil
	case 0.8:
		return quorum.Standard, "0.8", nil
	case 0.7:
		return quorum.Standard, "0.7", nil
	case 0.5:
		return quorum.Research, "", nil
	}
	return quorum.NoTier, "", fmt.Errorf("weight %v: want 1.0, 0.9, 0.8, 0.7 or 0.5", weight)
}

// panelsOf builds the panels of a recording: all its models, then the named
// ones in order of name.
func panelsOf(rec *sim.Recording, set setPanels) ([]panel, error) {
	models := map[string][]string{"all": rec.Models}
	names := slices.Sorted(maps.Keys(set.Panels))
	for _, name := range names {
		if name == "all" || len(set.Panels[name]) == 0 {
			return nil, fmt.Errorf("%w: %s: panel %q is empty or called all", ErrPanels, rec.Name, name)
		}
		models[name] = set.Panels[name]
	}
	var panels []panel
	for _, name := range append([]string{"all"}, names...) {
		companions, err := rec.Companions(models[name])
		if err != nil {
			return nil, fmt.Errorf("%w: panel %s: %w", ErrPanels, name, err)
		}
		p := panel{name: name, companions: companions}
		for i, model := range models[name] {
			weight, found := set.Tiers[model]
			if !found {
				return nil, fmt.Errorf("%w: %s: no tier for %s", ErrPanels, rec.Name, model)
			}
			if companions[i].Tier, companions[i].Weight, err = tierOf(weight); err != nil {
				return nil, fmt.Errorf("%w: %s: %s: %w", ErrPanels, rec.Name, model, err)
			}
			p.columns = append(p.columns, slices.Index(rec.Models, model))
		}
		panels = append(panels, p)
	}
	return panels, nil
}

// recordings lists the recordings of a folder by name, in order.
func recordings(dir string) (names []string, paths map[string]string, err error) {
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("eval: %w", err)
	}
	paths = map[string]string{}
	for _, entry := range found {
		name, isRecording := strings.CutSuffix(strings.TrimSuffix(entry.Name(), ".gz"), ".jsonl")
		if isRecording {
			names = append(names, name)
			paths[name] = filepath.Join(dir, entry.Name())
		}
	}
	if len(names) == 0 {
		return nil, nil, fmt.Errorf("eval: no .jsonl or .jsonl.gz in %s", dir)
	}
	return names, paths, nil
}
