package observe

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
)

// A sample is one series of a query's answer, at its end.
type sample struct {
	labels map[string]string
	value  float64
}

// query asks Prometheus; no series at all is an error.
func (s *scene) query(expr string) ([]sample, error) {
	text, code, err := fetch(s.t.Context(), "GET", s.watcherURL+"/api/v1/query?query="+url.QueryEscape(expr), "")
	if err != nil {
		return nil, err
	}
	if code != 200 {
		return nil, fmt.Errorf("query %s: %d: %s", expr, code, text)
	}
	var answer struct {
		Data struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return nil, err
	}
	if answer.Data.ResultType != "vector" {
		return nil, fmt.Errorf("query %s: a %s", expr, answer.Data.ResultType)
	}
	var vector []struct {
		Metric map[string]string
		Value  [2]any
	}
	if err := json.Unmarshal(answer.Data.Result, &vector); err != nil {
		return nil, err
	}
	if len(vector) == 0 {
		return nil, fmt.Errorf("query %s: no series", expr)
	}
	samples := make([]sample, len(vector))
	for i, v := range vector {
		number, err := strconv.ParseFloat(fmt.Sprint(v.Value[1]), 64)
		if err != nil {
			return nil, err
		}
		samples[i] = sample{v.Metric, number}
	}
	return samples, nil
}

// number asks for what is one number.
func (s *scene) number(expr string) (float64, error) {
	samples, err := s.query(expr)
	if err != nil {
		return 0, err
	}
	if len(samples) != 1 {
		return 0, fmt.Errorf("query %s: %d series", expr, len(samples))
	}
	return samples[0].value, nil
}
