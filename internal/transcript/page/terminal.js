"use strict";

// Terminal draws what Filter of package transcript lets through: text, cursor moves,
// erasing, scrolling, colours, the alternate screen. It only ever writes text nodes.
class Terminal {
  constructor(width, height) {
    this.alternate = null;
    this.resize(width, height);
    this.reset();
  }

  reset() {
    this.x = this.y = 0;
    this.top = 0;
    this.bottom = this.height - 1;
    this.wrap = false;
    this.insert = false;
    this.style = "";
    this.saved = null;
    this.rows = Array.from({ length: this.height }, () => this.blank());
    this.rest = "";
  }

  blank() { return new Array(this.width).fill(null); }

  resize(width, height) {
    this.width = Math.min(Math.max(width | 0, 1), 500);
    this.height = Math.min(Math.max(height | 0, 1), 200);
    const rows = this.rows || [];
    const from = Math.max(0, Math.min(rows.length, (this.y || 0) + 1) - this.height);
    this.rows = Array.from({ length: this.height }, (_, i) => {
      const row = (rows[from + i] || []).slice(0, this.width);
      while (row.length < this.width) row.push(null);
      return row;
    });
    this.x = Math.min(this.x || 0, this.width - 1);
    this.y = Math.min(Math.max(0, (this.y || 0) - from), this.height - 1);
    this.top = 0;
    this.bottom = this.height - 1;
  }

  write(data) {
    const text = this.rest + data;
    this.rest = "";
    let i = 0;
    while (i < text.length) {
      const code = text.codePointAt(i);
      if (code === 0x1b) {
        const end = this.escape(text, i);
        if (end < 0) { this.rest = text.slice(i); return; }
        i = end;
        continue;
      }
      const char = String.fromCodePoint(code);
      i += char.length;
      if (code < 0x20) this.control(code); else this.put(char, code);
    }
  }

  control(code) {
    switch (code) {
      case 8: this.x = Math.max(0, this.x - 1); this.wrap = false; break;
      case 9: this.x = Math.min(this.width - 1, (this.x | 7) + 1); break;
      case 10: case 11: case 12: this.index(); break;
      case 13: this.x = 0; this.wrap = false; break;
    }
  }

  put(char, code) {
    const size = Terminal.cells(code);
    if (size === 0) {
      const before = this.rows[this.y][Math.max(0, this.x - (this.wrap ? 0 : 1))];
      if (before && before[0].length < 32) before[0] += char;
      return;
    }
    if (this.wrap || this.x + size > this.width) { this.x = 0; this.index(); }
    this.wrap = false;
    const row = this.rows[this.y];
    if (this.insert) { row.splice(this.x, 0, ...new Array(size).fill(null)); row.length = this.width; }
    // Half of a wide character is none.
    if (row[this.x] && row[this.x][0] === "") row[this.x - 1] = null;
    const after = this.x + size;
    if (after < this.width && row[after] && row[after][0] === "") row[after] = null;
    row[this.x] = [char, this.style];
    if (size === 2 && this.x + 1 < this.width) row[this.x + 1] = ["", this.style];
    this.x += size;
    if (this.x >= this.width) { this.x = this.width - 1; this.wrap = true; }
  }

  static cells(code) {
    if (code >= 0x300 && code < 0x370 || code >= 0x200b && code < 0x2010 || code >= 0xfe00 && code < 0xfe10) return 0;
    const wide = code >= 0x1100 && code < 0x1160 || code >= 0x2e80 && code < 0xa4d0 || code >= 0xac00 && code < 0xd7a4 ||
      code >= 0xf900 && code < 0xfb00 || code >= 0xfe30 && code < 0xfe70 || code >= 0xff00 && code < 0xff61 ||
      code >= 0x1f300 && code < 0x1f650 || code >= 0x1f900 && code < 0x1fa00 || code >= 0x20000 && code < 0x40000;
    return wide ? 2 : 1;
  }

  index() {
    this.wrap = false;
    if (this.y === this.bottom) this.scroll(1); else this.y = Math.min(this.height - 1, this.y + 1);
  }

  scroll(count) {
    for (let n = Math.min(Math.abs(count), this.height); n > 0; n--) {
      if (count > 0) {
        this.rows.splice(this.top, 1);
        this.rows.splice(this.bottom, 0, this.blank());
      } else {
        this.rows.splice(this.bottom, 1);
        this.rows.splice(this.top, 0, this.blank());
      }
    }
  }

  // escape obeys one sequence, and returns where it ends; -1 if it is not whole yet.
  escape(text, at) {
    const kind = text[at + 1];
    if (kind === undefined) return -1;
    if (kind !== "[") {
      switch (kind) {
        case "7": this.saved = [this.x, this.y, this.style, this.wrap]; break;
        case "8": this.restore(); break;
        case "D": this.index(); break;
        case "E": this.x = 0; this.index(); break;
        case "M": if (this.y === this.top) this.scroll(-1); else this.y = Math.max(0, this.y - 1); break;
      }
      return at + 2;
    }
    const match = /^\x1b\[(\??)([0-9;:]*)([@-~])/.exec(text.slice(at, at + 80));
    if (!match) return text.length - at < 80 ? -1 : at + 2;
    const list = match[2].split(/[;:]/).map((n) => (n === "" ? 0 : Math.min(parseInt(n, 10), 65535)));
    if (match[1]) this.mode(list, match[3] === "h"); else this.obey(match[3], list);
    return at + match[0].length;
  }

  restore() {
    [this.x, this.y, this.style, this.wrap] = this.saved || [0, 0, "", false];
    this.x = Math.min(this.x, this.width - 1);
    this.y = Math.min(this.y, this.height - 1);
  }

  mode(list, on) {
    for (const mode of list) {
      if (mode !== 47 && mode !== 1047 && mode !== 1049) continue;
      if (on && !this.alternate) {
        this.alternate = { rows: this.rows, x: this.x, y: this.y };
        this.rows = Array.from({ length: this.height }, () => this.blank());
      } else if (!on && this.alternate) {
        const { rows, x, y } = this.alternate;
        this.alternate = null;
        this.rows = rows; this.x = x; this.y = y;
        this.resize(this.width, this.height);
      }
    }
  }

  obey(final, list) {
    const n = Math.max(1, list[0]);
    const row = this.rows[this.y];
    // The cursor does not leave the scrolling region by moving up or down.
    const up = Math.max(this.y >= this.top ? this.top : 0, this.y - n);
    const down = Math.min(this.y <= this.bottom ? this.bottom : this.height - 1, this.y + n);
    if (!"mhlSTs".includes(final)) this.wrap = false;
    switch (final) {
      case "A": this.y = up; break;
      case "B": case "e": this.y = down; break;
      case "C": case "a": this.x = Math.min(this.width - 1, this.x + n); break;
      case "D": this.x = Math.max(0, this.x - n); break;
      case "E": this.x = 0; this.y = down; break;
      case "F": this.x = 0; this.y = up; break;
      case "G": case "`": this.x = Math.min(this.width, n) - 1; break;
      case "d": this.y = Math.min(this.height, n) - 1; break;
      case "H": case "f":
        this.y = Math.min(this.height, n) - 1;
        this.x = Math.min(this.width, Math.max(1, list[1] || 1)) - 1;
        break;
      case "J":
        if (list[0] === 0) { row.fill(null, this.x); for (let i = this.y + 1; i < this.height; i++) this.rows[i] = this.blank(); }
        if (list[0] === 1) { row.fill(null, 0, this.x + 1); for (let i = 0; i < this.y; i++) this.rows[i] = this.blank(); }
        if (list[0] >= 2) this.rows = this.rows.map(() => this.blank());
        break;
      case "K": row.fill(null, list[0] === 0 ? this.x : 0, list[0] === 1 ? this.x + 1 : this.width); break;
      case "X": row.fill(null, this.x, this.x + n); break;
      case "@": row.splice(this.x, 0, ...new Array(Math.min(n, this.width)).fill(null)); row.length = this.width; break;
      case "P": row.splice(this.x, n); while (row.length < this.width) row.push(null); break;
      case "L": case "M": this.lines(final === "L", n); break;
      case "S": this.scroll(n); break;
      case "T": this.scroll(-n); break;
      case "r":
        this.top = n - 1;
        this.bottom = Math.min(this.height, list[1] || this.height) - 1;
        if (this.top >= this.bottom) { this.top = 0; this.bottom = this.height - 1; }
        this.x = this.y = 0;
        break;
      case "s": this.saved = [this.x, this.y, this.style, this.wrap]; break;
      case "u": this.restore(); break;
      case "h": case "l": if (list[0] === 4) this.insert = final === "h"; break;
      case "m": this.colour(list); break;
    }
  }

  // lines inserts or deletes lines at the cursor, within the scrolling region.
  lines(insert, n) {
    if (this.y < this.top || this.y > this.bottom) return;
    for (let i = Math.min(n, this.bottom - this.y + 1); i > 0; i--) {
      this.rows.splice(insert ? this.bottom : this.y, 1);
      this.rows.splice(insert ? this.y : this.bottom, 0, this.blank());
    }
    this.x = 0;
  }

  // colour keeps a style as "bold|italic|…|foreground|background".
  colour(list) {
    const s = Object.assign({ flags: "", f: "", b: "" }, this.style ? JSON.parse(this.style) : {});
    const flag = (letter, on) => { s.flags = s.flags.replace(letter, "") + (on ? letter : ""); };
    for (let i = 0; i < list.length; i++) {
      const n = list[i];
      if (n === 0) { s.flags = s.f = s.b = ""; }
      else if (n === 1) flag("b", true);
      else if (n === 2) flag("d", true);
      else if (n === 3) flag("i", true);
      else if (n === 4) flag("u", true);
      else if (n === 7) flag("r", true);
      else if (n === 22) { flag("b", false); flag("d", false); }
      else if (n === 23) flag("i", false);
      else if (n === 24) flag("u", false);
      else if (n === 27) flag("r", false);
      else if (n >= 30 && n <= 37) s.f = Terminal.palette(n - 30);
      else if (n >= 90 && n <= 97) s.f = Terminal.palette(n - 82);
      else if (n >= 40 && n <= 47) s.b = Terminal.palette(n - 40);
      else if (n >= 100 && n <= 107) s.b = Terminal.palette(n - 92);
      else if (n === 39) s.f = "";
      else if (n === 49) s.b = "";
      else if (n === 38 || n === 48) {
        let colour = "";
        if (list[i + 1] === 5) { colour = Terminal.palette(list[i + 2] & 255); i += 2; }
        else if (list[i + 1] === 2) { colour = "rgb(" + [2, 3, 4].map((k) => (list[i + k] || 0) & 255).join(",") + ")"; i += 4; }
        if (n === 38) s.f = colour; else s.b = colour;
      }
    }
    this.style = s.flags || s.f || s.b ? JSON.stringify(s) : "";
  }

  static palette(n) {
    const base = ["#1b1f24", "#d6494f", "#4aa657", "#c39a2b", "#5689d8", "#b36bc4", "#3fa5b0", "#c9ced6",
      "#6b7480", "#ff7b81", "#7fd08a", "#ecc95b", "#86b3f5", "#dc9bea", "#74d3dd", "#f5f7fa"];
    if (n < 16) return base[n];
    if (n >= 232) { const g = 8 + 10 * (n - 232); return "rgb(" + g + "," + g + "," + g + ")"; }
    const level = (v) => (v === 0 ? 0 : 55 + 40 * v);
    return "rgb(" + level(Math.floor((n - 16) / 36)) + "," + level(Math.floor((n - 16) / 6) % 6) + "," + level((n - 16) % 6) + ")";
  }

  // render shows the screen in an element.
  render(into) {
    const out = document.createDocumentFragment();
    this.rows.forEach((row, y) => {
      let run = null, style = null;
      row.forEach((cell, x) => {
        let [char, look] = cell || [" ", ""];
        if (x === this.x && y === this.y) look += "!";
        if (look !== style) {
          run = out.appendChild(document.createElement("span"));
          style = look;
          Terminal.dress(run, look);
        }
        run.textContent += char;
      });
      out.append("\n");
    });
    into.replaceChildren(out);
  }

  static dress(element, look) {
    if (look.endsWith("!")) { element.className = "cursor"; look = look.slice(0, -1); }
    if (!look) return;
    const s = JSON.parse(look);
    const reverse = s.flags.includes("r");
    element.style.color = reverse ? s.b || "#14181d" : s.f;
    element.style.backgroundColor = reverse ? s.f || "#d7dce2" : s.b;
    if (s.flags.includes("b")) element.style.fontWeight = "bold";
    if (s.flags.includes("d")) element.style.opacity = "0.65";
    if (s.flags.includes("i")) element.style.fontStyle = "italic";
    if (s.flags.includes("u")) element.style.textDecoration = "underline";
  }
}
