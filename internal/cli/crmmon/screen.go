// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmmon

import (
	"context"
	"errors"
	"os"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/statusview"
)

// The keys of the live screen are those of the options that they switch.
var keys = map[string]func(*statusview.Options){
	"n": func(o *statusview.Options) { o.ByNode = !o.ByNode },
	"r": func(o *statusview.Options) { o.Inactive = !o.Inactive },
	"b": func(o *statusview.Options) { o.Brief = !o.Brief },
	"R": func(o *statusview.Options) { o.Detail = !o.Detail },
	"t": func(o *statusview.Options) { o.Timing = !o.Timing; o.Sections |= statusview.SecOperations },
	"f": flip(statusview.SecFailcounts),
	"o": flip(statusview.SecOperations),
	"c": flip(statusview.SecTickets),
	"m": flip(statusview.SecFencing),
	"L": flip(statusview.SecBans),
	"A": flip(statusview.SecAttributes),
	"D": flip(statusview.SecSummary &^ statusview.SecOptions),
}

func flip(s statusview.Section) func(*statusview.Options) {
	return func(o *statusview.Options) {
		if o.Sections&s != 0 {
			o.Sections &^= s
		} else {
			o.Sections |= s
		}
	}
}

const helpText = `Keys:
  n  group by node        r  inactive resources
  f  fail counts          o  operations
  t  times of operations  A  node attributes
  b  brief                R  details
  c  tickets              L  negative locations
  m  fencing history      D  summary
  ?  this help            q  quit
`

// A model is the live screen: the newest state and how it is shown.
type model struct {
	view   *statusview.View
	err    error
	show   statusview.Options
	help   bool
	top    int // first line shown
	height int
}

// update is the message of a new state.
type update struct {
	view *statusview.View
	err  error
}

// Init implements tea.Model.
func (m model) Init() tea.Cmd { return nil }

// Update implements tea.Model.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case update:
		m.view, m.err = msg.view, msg.err
	case tea.WindowSizeMsg:
		m.height = msg.Height
	case tea.KeyPressMsg:
		return m.key(msg.String())
	}
	return m, nil
}

func (m model) key(k string) (tea.Model, tea.Cmd) {
	switch k {
	case "q", "ctrl+c", "esc":
		return m, tea.Quit
	case "?":
		m.help = !m.help
	case "up", "k":
		m.top = max(0, m.top-1)
	case "down", "j":
		m.top++
	case "pgup":
		m.top = max(0, m.top-m.height)
	case "pgdown", "space":
		m.top += m.height
	default:
		if change, ok := keys[k]; ok {
			change(&m.show)
		}
	}
	return m, nil
}

// View implements tea.Model.
func (m model) View() tea.View {
	v := tea.NewView(m.text())
	v.AltScreen = true
	return v
}

// text is what stands on the screen: the lines from top on that fit.
func (m model) text() string {
	var b strings.Builder
	switch {
	case m.help:
		b.WriteString(helpText)
	case m.err != nil:
		_, lines := explain("crm_mon", false, m.err)
		b.WriteString("Waiting for the cluster on this node …\n" + strings.Join(lines, "\n") + "\n")
	case m.view == nil:
		b.WriteString("Waiting for CIB …\n")
	default:
		v := *m.view
		v.Options = m.show
		v.Text(&b)
	}
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	if m.height > 0 && len(lines) > m.height {
		top := min(m.top, len(lines)-m.height)
		lines = lines[top : top+m.height]
	}
	for i, l := range lines {
		lines[i] = untab(l)
	}
	return strings.Join(lines, "\n")
}

// tabWidth is how far apart the stops of tabs are.
const tabWidth = 8

// untab puts blanks in place of tabs: the screen counts cells.
func untab(s string) string {
	var b strings.Builder
	col := 0
	for _, r := range s {
		if r != '\t' {
			b.WriteRune(r)
			col++
			continue
		}
		n := tabWidth - col%tabWidth
		b.WriteString(strings.Repeat(" ", n))
		col += n
	}
	return b.String()
}

// screen runs the live screen until the user quits.
func (o *options) screen(ctx context.Context, io *cli.IO) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := model{show: o.show}
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(os.Stdin), tea.WithOutput(io.Stdout))
	followed := make(chan error, 1)
	go func() {
		err := (&options{show: o.show, interval: o.interval, request: o.request}).follow(ctx, io,
			func(v *statusview.View, err error) error {
				p.Send(update{v, err})
				return nil
			})
		if err != nil {
			p.Quit()
		}
		followed <- err
	}()
	_, err := p.Run()
	cancel()
	ferr := <-followed
	if errors.Is(err, tea.ErrProgramKilled) || errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(ferr, err)
}
