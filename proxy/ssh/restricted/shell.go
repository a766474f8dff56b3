package restricted

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Config of a Shell.
type Config struct {
	// Prompt is shown where the client has a terminal.
	Prompt string
	// Terminal says that it has, of so many Columns and Rows.
	Terminal      bool
	Columns, Rows int
	// Commands that may run, for help and completion; with Any all may be tried.
	Commands []v1alpha1.CommandGrant
	Any      bool
	// Execute judges and runs one line, and returns its exit status. What it has to say
	// it has said. An error ends the shell.
	Execute func(ctx context.Context, line string) (status int, err error)
}

// Shell reads lines, and has them executed one by one.
type Shell struct {
	config   Config
	keyboard *Keyboard
	out      io.Writer

	mu sync.Mutex
	// editor is nil without a terminal. It has a history of 100 lines, in memory.
	editor *term.Terminal
}

// New returns a shell that writes to out.
func New(keyboard *Keyboard, out io.Writer, c Config) *Shell {
	s := &Shell{config: c, keyboard: keyboard, out: out}
	if c.Terminal {
		s.editor = term.NewTerminal(editing{keyboard, out}, c.Prompt)
		s.editor.AutoCompleteCallback = s.complete
		s.Resize(c.Columns, c.Rows)
	}
	return s
}

// Resize tells of the terminal's size.
func (s *Shell) Resize(columns, rows int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.editor != nil && columns > 0 && rows > 0 {
		_ = s.editor.SetSize(min(columns, 1<<12), min(rows, 1<<12))
	}
}

// Print shows lines.
func (s *Shell) Print(text string) {
	text += "\n"
	if s.config.Terminal {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	_, _ = io.WriteString(s.out, text)
}

// Run reads until the client leaves, or the context ends, and returns the last command's
// exit status, or the one that exit was given.
func (s *Shell) Run(ctx context.Context) (status int, err error) {
	stop := context.AfterFunc(ctx, s.keyboard.End)
	defer stop()
	if s.config.Terminal {
		s.Print("Restricted shell: each line is judged by the task's policy. Try help.")
	}
	for {
		line, err := s.read()
		switch {
		case errors.Is(err, errLong):
			s.Print("sallyport: " + err.Error())
			return 2, nil
		case err != nil && ctx.Err() != nil:
			return status, context.Cause(ctx)
		case err != nil:
			if s.config.Terminal {
				s.Print("")
			}
			return status, nil
		}
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "exit", "logout":
			return left(words, status), nil
		case "help":
			s.Print(s.help())
			status = 0
			continue
		}
		if status, err = s.config.Execute(ctx, line); err != nil {
			return status, err
		}
		if status != 0 && s.config.Terminal {
			s.Print(fmt.Sprintf("exit %d", status))
		}
	}
}

func (s *Shell) read() (string, error) {
	if s.editor == nil {
		return s.keyboard.line()
	}
	line, err := s.editor.ReadLine()
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	return line, err
}

// left is the status that exit was given, or the last command's.
func left(words []string, status int) int {
	if len(words) == 2 {
		if n, err := strconv.Atoi(words[1]); err == nil && n >= 0 && n < 256 {
			return n
		}
	}
	return status
}

// help says what is granted.
func (s *Shell) help() string {
	if s.config.Any {
		return "The task's policy names no commands: each line is judged by its rules. exit leaves."
	}
	var text strings.Builder
	text.WriteString("The task's policy grants (* is any characters, ** any further words):\n")
	for _, c := range s.config.Commands {
		text.WriteString("  " + shown(strings.Join(c.Argv, " ")) + "\n")
	}
	text.WriteString("exit leaves; Ctrl-C stops a command that runs, or waits for its review.")
	return text.String()
}

// shown is text that a terminal may show.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError {
			return '?'
		}
		return r
	}, text)
}

// complete completes the line to what all granted commands that begin so share.
func (s *Shell) complete(line string, at int, key rune) (string, int, bool) {
	if key != '\t' {
		return "", 0, false
	}
	typed, rest := line[:at], line[at:]
	if typed == "" || rest != "" && !strings.HasPrefix(rest, " ") {
		return line, at, true
	}
	var common string
	found := false
	for _, literal := range append(literals(s.config.Commands), "help", "exit") {
		if !strings.HasPrefix(literal, typed) {
			continue
		}
		if !found {
			common, found = literal, true
		}
		for !strings.HasPrefix(literal, common) {
			_, size := utf8.DecodeLastRuneInString(common)
			common = common[:len(common)-size]
		}
	}
	if !found {
		return line, at, true
	}
	return common + rest, len(common), true
}

// literals are the commands up to their first word that stands for others.
func literals(commands []v1alpha1.CommandGrant) (lines []string) {
	for _, c := range commands {
		n := 0
		for n < len(c.Argv) && !strings.ContainsAny(c.Argv[n], `*\`) && shown(c.Argv[n]) == c.Argv[n] {
			n++
		}
		line := strings.Join(c.Argv[:n], " ")
		if n > 0 && n < len(c.Argv) {
			line += " "
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
