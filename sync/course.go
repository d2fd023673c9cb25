package sync

import (
	"context"
	"fmt"
	"time"
)

// course is how far a round has come with what it has to write.
type course struct{ written, all int }

// tellCourse notes it, for whoever looks while the round goes on. What an earlier round said that saw nothing holds no
// longer.
func (r *round) tellCourse() {
	all := len(r.steps)
	c := course{written: all - r.undone(), all: all}
	r.engine.mu.Lock()
	r.engine.courses[r.target.name] = c
	if told := r.engine.reports[r.target.name]; told.blind {
		told.blind, told.err = false, nil
		r.engine.reports[r.target.name] = told
	}
	r.engine.mu.Unlock()
}

// endCourse forgets how far a round has come, now that it is over.
func (e *Engine) endCourse(name string) {
	e.mu.Lock()
	delete(e.courses, name)
	e.mu.Unlock()
}

// underway says how far the round of a tenant has come, if it writes now. It needs mu.
func (e *Engine) underway(name string) string {
	c, writes := e.courses[name]
	if !writes {
		return ""
	}
	said := fmt.Sprintf("it is being written: %d of %d objects are done", c.written, c.all)
	if n := e.writer.queue.len(); n > 0 {
		said += fmt.Sprintf("; Calico's API server takes few writes at a time, and %d wait for it or are on their way", n)
	}
	return said
}

// courseEvery is how often it is told how far long writing has come.
const courseEvery = 10 * time.Second

// tellCourses logs how far writing has come, as long as it goes on.
func (e *Engine) tellCourses(ctx context.Context) {
	for pause(ctx, courseEvery) {
		left := 0
		e.mu.Lock()
		tenants := len(e.courses)
		for _, c := range e.courses {
			left += c.all - c.written
		}
		e.mu.Unlock()
		if tenants > 0 {
			e.config.Log.Info("writing goes on", "tenants", tenants, "left", left, "queued", e.writer.queue.len())
		}
	}
}
