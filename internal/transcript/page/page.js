(() => {
  const $ = (id) => document.getElementById(id);
  const sessions = JSON.parse($("data").textContent).sessions;
  const pageSize = 200, idleAfter = 2000, idleBecomes = 500;
  let session, items, shown, from, position, playing, last, now, terminals, drawn, hasScreen, ruled;

  const element = (name, className, text) => {
    const e = document.createElement(name);
    if (className) e.className = className;
    if (text !== undefined) e.textContent = text;
    return e;
  };
  const clock = (ms) => {
    const s = Math.floor(ms / 1000), two = (n) => String(n).padStart(2, "0");
    return (s >= 3600 ? Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) : Math.floor(s / 60)) + ":" + two(s % 60);
  };

  // collect puts steps together by operation: each item is one entry of the list.
  const collect = (steps) => {
    const out = [], byOperation = new Map();
    for (const step of steps) {
      if (step.k === "screen" || step.k === "resized" || step.k === "begin") continue;
      let item = step.o !== undefined ? byOperation.get(step.o) : undefined;
      if (!item) {
        item = { at: step.t, o: step.o, steps: [] };
        if (step.o !== undefined) byOperation.set(step.o, item);
        out.push(item);
      }
      item.steps.push(step);
      if (step.k === "decided") item.effect = step.effect;
      if (step.k === "held") { item.held = true; }
      if (step.k === "answered") { item.failed = item.failed || !!step.error; item.masked = item.masked || !!step.masked; }
    }
    for (const item of out) item.index = item.steps.map(words).join("\n").toLowerCase();
    return out;
  };

  const words = (step) => {
    const out = [];
    const walk = (v) => {
      if (typeof v === "string") out.push(v);
      else if (Array.isArray(v)) v.forEach(walk);
      else if (v && typeof v === "object") Object.values(v).forEach(walk);
    };
    walk(step);
    return out.join("\n");
  };

  // marked is a text with what is searched for marked in it.
  const marked = (name, className, text) => {
    const e = element(name, className), query = $("query").value.toLowerCase(), low = text.toLowerCase();
    if (!query || low.length !== text.length) { e.textContent = text; return e; }
    let at = 0;
    for (let hit = low.indexOf(query); hit >= 0; hit = low.indexOf(query, at)) {
      e.append(text.slice(at, hit), element("mark", "", text.slice(hit, hit + query.length)));
      at = hit + query.length;
    }
    e.append(text.slice(at));
    return e;
  };

  const verdictWords = { Allow: "allowed", Deny: "refused", HoldCommit: "allowed, its COMMIT is held" };

  const card = (item, i) => {
    const li = element("li", [item.effect || "", item.held ? "held" : ""].join(" ").trim());
    li.dataset.item = i;
    const top = li.appendChild(element("div", "top"));
    const time = top.appendChild(element("button", "", clock(item.at)));
    time.type = "button";
    time.title = "Go to " + new Date(session.start + item.at).toISOString();
    time.addEventListener("click", () => go(item.at));
    if (item.o !== undefined) top.append(element("span", "", "#" + item.o));
    let grid = null;
    for (const step of item.steps) {
      const part = parts[step.k];
      if (step.k === "rows") { grid = rows(li, step, grid); continue; }
      if (part) part(li, top, step);
    }
    return li;
  };

  const parts = {
    asked(li, top, s) {
      top.append(marked("span", "", s.kind || "not understood"));
      li.append(marked("pre", "", s.text + (s.cut ? "… (cut)" : "")));
      (s.values || []).forEach((value, i) => li.append(marked("pre", "quiet", "$" + (i + 1) + " = " + value)));
      const touches = [["reads", s.reads], ["writes", s.writes]].filter(([, names]) => names && names.length);
      if (touches.length) li.append(marked("p", "quiet", touches.map(([verb, names]) => verb + " " + names.join(", ")).join("; ")));
    },
    held(li, top, s) {
      const what = s.outcome ? "Review " + s.review + ": " + s.outcome : "Held for review " + s.review;
      li.append(marked("p", "wait", clock(s.t) + " " + what + (s.message ? ": " + s.message : "")));
    },
    decided(li, top, s) {
      li.dataset.at = s.t;
      top.append(marked("span", "verdict", verdictWords[s.effect] || s.effect), marked("span", "", "policy " + s.policy + ", rule " + s.rule));
      if (s.message) li.append(marked("p", s.effect === "Deny" ? "bad" : "wait", s.message));
    },
    answered(li, top, s) {
      const took = s.t - Number(li.dataset.at || s.t);
      const text = s.error ? "Error " + s.error : (s.tag || "done") + ", " + s.rows + " rows, " + s.bytes + " bytes";
      li.append(marked("p", s.error ? "fault" : "quiet", text + (took > 0 ? ", after " + took + " ms" : "")));
      (s.masked || []).forEach((line) => li.append(marked("p", "quiet", "Masked " + line)));
    },
    streamed(li, top, s) { li.append(marked("p", "quiet", s.bytes + " bytes to the target, SHA-256 " + s.sha256)); },
    moved(li, top, s) { li.append(marked("p", "", [s.op, s.direction, s.path, s.bytes + " bytes", s.sha256 && "SHA-256 " + s.sha256].filter(Boolean).join(" "))); },
    granted(li, top, s) { li.append(marked("p", "quiet", s.text)); },
    said(li, top, s) { li.append(marked("pre", "quiet", s.text)); },
    end(li, top, s) { li.append(marked("p", "", "Ended: " + s.reason + " (" + s.allowed + " allowed, " + s.refused + " refused)")); },
  };

  // rows goes on in the table before it, where that is of the same result.
  const rows = (li, step, grid) => {
    if (!grid || step.columns) {
      const details = li.appendChild(element("details"));
      details.open = true;
      details.append(element("summary", "", "Rows"));
      const wide = details.appendChild(element("div", "wide"));
      wide.tabIndex = 0;
      grid = wide.appendChild(element("table"));
      if (step.columns) {
        const head = grid.appendChild(element("thead")).appendChild(element("tr"));
        step.columns.forEach((name) => { const th = marked("th", "", name); th.scope = "col"; head.append(th); });
      }
      grid.append(element("tbody"));
    }
    const body = grid.querySelector("tbody");
    (step.rows || []).forEach((row) => {
      const tr = body.appendChild(element("tr"));
      row.forEach((value) => tr.append(value === null ? element("td", "null", "NULL") : marked("td", "", value)));
    });
    (step.copy || []).forEach((text) => body.appendChild(element("tr")).append(marked("td", "", text)));
    if (step.more) li.append(element("p", "quiet", step.more));
    return grid;
  };

  const matches = (item) => {
    const query = $("query").value.toLowerCase();
    const wanted = { refused: item.effect === "Deny", held: item.held, failed: item.failed, masked: item.masked }[$("filter").value];
    return wanted !== false && (wanted !== undefined || $("filter").value === "") && (!query || item.index.includes(query));
  };

  const search = () => {
    shown = items.filter(matches);
    $("found").textContent = shown.length === items.length ? items.length + " entries" : shown.length + " of " + items.length + " entries";
    list(0);
    rule();
    paint();
    mark(false);
  };

  const list = (start) => {
    from = Math.max(0, Math.min(start, Math.max(0, shown.length - 1)));
    now = null;
    const out = document.createDocumentFragment();
    shown.slice(from, from + pageSize).forEach((item, i) => out.append(card(item, from + i)));
    $("steps").replaceChildren(out);
    $("pages").hidden = shown.length <= pageSize;
    $("earlier").disabled = from === 0;
    $("later").disabled = from + pageSize >= shown.length;
    $("range").textContent = (from + 1) + " to " + Math.min(from + pageSize, shown.length) + " of " + shown.length;
  };

  // upTo is how many of a sorted list are not after the position.
  const upTo = (list, at) => {
    let low = 0, high = list.length;
    while (low < high) { const mid = (low + high) >> 1; if (at(list[mid]) <= position) low = mid + 1; else high = mid; }
    return low;
  };
  // current is the last entry that has begun by now.
  const current = () => upTo(shown, (item) => item.at) - 1;

  const mark = (follow) => {
    const i = current(), key = i + (position > 0 ? "+" : "");
    if (key === now) return;
    if (follow && i >= 0 && (i < from || i >= from + pageSize)) list(i - i % pageSize);
    for (const li of $("steps").children) {
      const n = Number(li.dataset.item);
      li.classList.toggle("later", n > i && position > 0);
      li.classList.toggle("now", n === i);
      if (n === i) li.setAttribute("aria-current", "step"); else li.removeAttribute("aria-current");
      if (n === i && follow && !hasScreen && li.scrollIntoView) li.scrollIntoView({ block: "nearest" });
    }
    now = key;
  };

  const screen = () => {
    if (!hasScreen) return;
    if (drawn.position > position) drawn = { next: 0, position: 0, active: null }, terminals = new Map();
    let changed = false;
    while (drawn.next < session.steps.length && session.steps[drawn.next].t <= position) {
      const step = session.steps[drawn.next++];
      if (step.k !== "screen" && step.k !== "resized") continue;
      let terminal = terminals.get(step.o);
      if (!terminal) terminals.set(step.o, terminal = new Terminal(80, 24));
      if (step.k === "screen") terminal.write(step.data); else terminal.resize(step.width, step.height);
      drawn.active = terminal;
      changed = true;
    }
    drawn.position = position;
    if (drawn.active && changed) drawn.active.render($("screen"));
    if (!drawn.active) $("screen").replaceChildren();
  };

  // rule lays the timeline out: in each column of pixels the entry that matters most.
  const rule = () => {
    const width = $("timeline").clientWidth || 800, columns = new Map();
    const rank = (item) => (item.effect === "Deny" ? 4 : item.held || item.effect === "HoldCommit" ? 3 : item.effect ? 2 : 1);
    for (const item of shown) {
      const x = Math.min(width - 2, Math.floor(item.at / session.length * width / 2) * 2);
      columns.set(x, Math.max(columns.get(x) || 0, rank(item)));
    }
    const style = getComputedStyle(document.documentElement), colour = (name) => style.getPropertyValue(name).trim();
    ruled = { width, columns, inks: ["", "--quiet", "--allow", "--hold", "--deny"].map((name) => name && colour(name)), now: colour("--accent") };
  };

  const paint = () => {
    const canvas = $("timeline"), height = 28, ratio = window.devicePixelRatio || 1;
    canvas.width = ruled.width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext && canvas.getContext("2d");
    if (!pen) return;
    pen.scale(ratio, ratio);
    for (const [x, kind] of ruled.columns) {
      const tall = kind > 2 ? height - 4 : height - 14;
      pen.fillStyle = ruled.inks[kind];
      pen.fillRect(x, height - tall, 2, tall);
    }
    pen.fillStyle = ruled.now;
    pen.fillRect(Math.min(ruled.width - 2, position / session.length * ruled.width), 0, 2, height);
  };

  const show = (follow) => {
    $("seek").value = position;
    $("seek").setAttribute("aria-valuetext", clock(position) + " of " + clock(session.length));
    $("clock").textContent = clock(position) + " / " + clock(session.length);
    screen();
    mark(follow);
    paint();
  };

  const go = (to) => {
    position = Math.max(0, Math.min(session.length, to));
    show(true);
  };

  // tick plays on; a pause of more than idleAfter is made short.
  const tick = (time) => {
    if (!playing) return;
    let step = (time - last) * Number($("speed").value);
    last = time;
    if ($("idle").checked) {
      const i = upTo(session.times, (t) => t), before = session.times[i - 1] || 0, next = session.times[i];
      if (next - before > idleAfter && position - before >= idleBecomes) step = next - position;
    }
    position = Math.min(session.length, position + step);
    show(true);
    if (position >= session.length) { pause(); return; }
    requestAnimationFrame(tick);
  };
  const pause = () => { playing = false; $("play").textContent = "Play"; $("play").setAttribute("aria-pressed", "false"); };
  const play = () => {
    if (position >= session.length) position = 0;
    playing = true;
    last = performance.now();
    $("play").textContent = "Pause";
    $("play").setAttribute("aria-pressed", "true");
    requestAnimationFrame(tick);
  };
  const toggle = () => (playing ? pause() : play());
  const neighbour = (step) => {
    let i = current();
    if (step > 0) { while (i + 1 < shown.length && shown[i + 1].at <= position) i++; i++; }
    else { while (i >= 0 && shown[i].at >= position) i--; }
    if (i < 0) go(0); else if (i < shown.length) go(shown[i].at);
  };
  const speed = (step) => {
    const select = $("speed");
    select.selectedIndex = Math.max(0, Math.min(select.options.length - 1, select.selectedIndex + step));
  };

  const fact = (name, value) => {
    if (!value) return;
    const div = $("facts").appendChild(element("div"));
    div.append(element("dt", "", name), element("dd", "mono", value));
  };

  const open = (n) => {
    pause();
    session = sessions[n];
    const begin = (session.steps.find((s) => s.k === "begin") || { start: {} });
    const about = begin.start;
    session.start = Date.parse(begin.time || 0) || 0;
    session.times = Array.from(new Set(session.steps.map((s) => s.t))).sort((a, b) => a - b);
    session.length = Math.max(1, session.times.length ? session.times[session.times.length - 1] : 1);
    $("title").textContent = about.user ? about.user + " on " + about.target + ", task " + about.task : "Recording";
    document.title = $("title").textContent;
    $("facts").replaceChildren();
    fact("Session", about.session);
    fact("Request", about.request && about.namespace + "/" + about.request);
    fact("Protocol", about.protocol);
    fact("From", about.remote);
    fact("Known by", about.proof);
    fact("Began", begin.time);
    for (const [name, value] of Object.entries(about.attributes || {})) fact(name, value);
    $("warning").hidden = !session.warning;
    $("warning").textContent = session.warning || "";
    items = collect(session.steps);
    position = 0;
    hasScreen = session.steps.some((s) => s.k === "screen");
    terminals = new Map();
    drawn = { next: 0, position: 0, active: null };
    $("screen").hidden = !hasScreen;
    $("seek").max = session.length;
    search();
    show(false);
  };

  sessions.forEach((s, i) => {
    const begin = s.steps.find((step) => step.k === "begin");
    const option = element("option", "", begin ? begin.start.session + " " + begin.time : "session " + (i + 1));
    option.value = i;
    $("session").append(option);
  });
  $("choose").hidden = sessions.length < 2;
  $("session").addEventListener("change", () => open(Number($("session").value)));
  $("play").addEventListener("click", toggle);
  $("previous").addEventListener("click", () => neighbour(-1));
  $("next").addEventListener("click", () => neighbour(1));
  $("seek").addEventListener("input", () => go(Number($("seek").value)));
  $("timeline").addEventListener("click", (e) => go(e.offsetX / $("timeline").clientWidth * session.length));
  $("query").addEventListener("input", search);
  $("filter").addEventListener("change", search);
  $("earlier").addEventListener("click", () => list(from - pageSize));
  $("later").addEventListener("click", () => list(from + pageSize));
  const again = () => { if (session) { rule(); paint(); } };
  window.addEventListener("resize", again);
  if (window.matchMedia) window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const typing = e.target.matches && e.target.matches("input[type=search], select");
    if (e.key === "Escape" && typing) { e.target.blur(); return; }
    if (typing || !session) return;
    const onButton = e.target.matches && e.target.matches("button, summary, input");
    const keys = {
      " ": () => { if (!onButton) toggle(); else return true; }, "k": toggle,
      ArrowLeft: () => go(position - 5000), ArrowRight: () => go(position + 5000),
      ",": () => neighbour(-1), ".": () => neighbour(1), "+": () => speed(1), "-": () => speed(-1),
      "/": () => $("query").focus(),
    };
    if (keys[e.key] && keys[e.key]() !== true) e.preventDefault();
  });
  if (sessions.length) open(0);
})();
