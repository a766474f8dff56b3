package argv

import "strings"

// rsync judges `rsync --server`, as clients of rsync 3.0 to 3.4 send it (options.c,
// server_options): options, a dot, paths. What goes on inside is opaque, so an option
// that makes the server's end read or write elsewhere widens what must be granted, and
// an option that is not known here is refused. The option parser takes options after
// paths too, takes no abbreviations, and has no end of options in what clients send.
func rsync(words []word) Program {
	s := sync{Program: Program{Kind: KindSyncUpload}}
	for _, w := range words {
		if w.text == "--sender" {
			s.Kind, s.gives = KindSyncDownload, true
		}
	}
	for len(words) > 0 && strings.HasPrefix(words[0].text, "-") {
		s.option(words[0].text)
		words = words[1:]
	}
	if len(words) < 2 || words[0].text != "." {
		s.refuse("rsync's words do not end in a dot and paths")
		return s.Program
	}
	for _, w := range words[1:] {
		if strings.HasPrefix(w.text, "-") {
			s.refuse("rsync takes " + w.text + " for an option: write ./" + w.text)
		}
		if w.text == "" {
			s.refuse("an empty path is none: write .")
		}
		s.Paths = append(s.Paths, path(w))
	}
	if !s.gives && len(s.Paths) > 1 {
		s.refuse("rsync writes to one path")
	}
	// Into a folder that exists, what is uploaded goes below the path.
	s.Recursive = s.Recursive || !s.gives
	if s.Anywhere != "" {
		s.Paths, s.Recursive = append(s.Paths, "/"), true
	}
	return s.Program
}

type sync struct {
	Program
	gives bool
}

func (s *sync) refuse(why string) {
	if s.Unknown == "" {
		s.Unknown = why
	}
}

func (s *sync) anywhere(why string) {
	if s.Anywhere == "" {
		s.Anywhere = why
	}
}

func (s *sync) option(option string) {
	name, long := strings.CutPrefix(option, "--")
	if !long {
		s.letters(option[1:])
		return
	}
	name, value, has := strings.Cut(name, "=")
	switch {
	case !has && syncFlags[name]:
	case !has && syncDeletes[name]:
		s.Deletes = true
	case has && syncValues[name] && !strings.ContainsAny(value, "/"):
	case !has && name == "copy-unsafe-links" && s.gives:
		s.anywhere("rsync --copy-unsafe-links follows symbolic links to wherever they lead")
	case name == "partial-dir" && has && inside(value):
	default:
		s.refuse("rsync's option --" + name + " is not understood, or reads or writes elsewhere")
	}
}

// letters of a bundle of short options; e begins the client's version and abilities,
// B a block's size.
func (s *sync) letters(bundle string) {
	for i, c := range bundle {
		switch {
		case c == 'e':
			if strings.Trim(bundle[i+1:], "0123456789.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || !strings.Contains(bundle[i+1:], ".") {
				s.refuse("rsync's option -e is given a program")
			}
			return
		case c == 'B' && i == 0:
			if bundle == "B" || strings.Trim(bundle[1:], "0123456789") != "" {
				s.refuse("rsync's option -B has no size")
			}
			return
		case c == 'r':
			s.Recursive = true
		case c == 'l' && !s.gives:
			s.anywhere("rsync -l (of -a) makes symbolic links, through which more can be written: use -a --no-links --no-D")
		case c == 'D' && !s.gives:
			s.anywhere("rsync -D (of -a) makes devices, through which more can be read: use -a --no-links --no-D")
		case c == 'K' && !s.gives, c == 'R' && !s.gives:
			s.anywhere("rsync -" + string(c) + " lets it write elsewhere than below the path")
		case (c == 'L' || c == 'k') && s.gives:
			s.anywhere("rsync -" + string(c) + " follows symbolic links to wherever they lead")
		case strings.ContainsRune("vqbundmOJylWHogDtUNpEAXcCIRxSz", c):
		default:
			s.refuse("rsync's option -" + string(c) + " is not understood")
			return
		}
	}
}

// inside says whether a folder is one of the folder that is written to.
func inside(folder string) bool {
	return folder != "" && folder != "." && folder != ".." && !strings.Contains(folder, "/")
}

// syncFlags touch nothing but the paths.
var syncFlags = set(`sender list-only specials no-specials size-only existing ignore-existing ignore-non-existing
	numeric-ids inplace append partial force stats use-qsort ignore-errors ignore-missing-args
	no-implied-dirs no-relative no-r no-inc-recursive no-i-r inc-recursive preallocate mkpath open-noatime
	safe-links munge-links new-compress old-compress msgs2stderr no-msgs2stderr delay-updates fuzzy
	fsync no-W no-whole-file no-perms no-owner no-group no-times no-links no-devices no-D`)

// syncDeletes remove files.
var syncDeletes = set(`delete delete-before delete-during delete-delay delete-after delete-excluded
	delete-missing-args remove-source-files remove-sent-files`)

// syncValues are given a number or a name.
var syncValues = set(`compress-level compress-choice compress-threads skip-compress checksum-choice checksum-seed
	max-delete max-size min-size max-alloc modify-window timeout bwlimit suffix log-format
	usermap groupmap info debug block-size stderr`)

func set(names string) map[string]bool {
	all := make(map[string]bool)
	for name := range strings.FieldsSeq(names) {
		all[name] = true
	}
	return all
}
