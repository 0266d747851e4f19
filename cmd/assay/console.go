package main

import (
	"errors"
	"io"
	"sync"

	"golang.org/x/term"
)

// A console is a person's terminal during a game day: what is printed scrolls above the line that the person types. Ctrl-C stays a signal.
type console struct {
	t       *term.Terminal
	restore func()
	lines   chan string // typed; closed when the terminal is gone or the console is closed

	quit    chan struct{}
	closing sync.Once
	read    sync.WaitGroup
}

// errNoTerminal says that nobody can be asked.
var errNoTerminal = errors.New("a game day asks before each fault, and standard input and standard error are no terminal; give --yes to run it unattended")

// openConsole takes the terminal over. Close gives it back.
func openConsole(in io.Reader, out io.Writer) (*console, error) {
	quit := make(chan struct{})
	rw, restore, width, err := takeTerminal(in, out, quit)
	if err != nil {
		return nil, err
	}
	c := &console{t: term.NewTerminal(rw, calm), restore: restore, lines: make(chan string), quit: quit}
	if w, h := width(); w > 0 {
		_ = c.t.SetSize(w, h) // it only says how lines wrap
	}
	return c, nil
}

// listen begins to take what is typed. What was typed before comes first.
func (c *console) listen() {
	c.read.Go(func() {
		defer close(c.lines)
		for {
			line, err := c.t.ReadLine()
			if err != nil && !errors.Is(err, term.ErrPasteIndicator) {
				return
			}
			select {
			case c.lines <- line:
			case <-c.quit:
				return
			}
		}
	})
}

// calm is the prompt while nothing is asked: what is typed is a note.
const calm = "note> "

// Write prints above the line that is typed.
func (c *console) Write(b []byte) (int, error) { return c.t.Write(b) }

// prompt changes what stands before the line that is typed.
func (c *console) prompt(p string) {
	c.t.SetPrompt(p)
	_, _ = c.t.Write(nil) // draws it
}

// Close gives the terminal back. It may be called on nil and more than once.
func (c *console) Close() {
	if c == nil {
		return
	}
	c.closing.Do(func() {
		close(c.quit)
		c.read.Wait()
		c.t.SetPrompt("")
		_, _ = c.t.Write([]byte("\r\x1b[K")) // what is printed next stands on a clean line
		c.restore()
	})
}
