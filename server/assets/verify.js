// Judges exported usage on this machine: the file is read a piece at a time by the engine's own
// module, and nothing of it is sent anywhere. Without this, the form sends the file to the server.
"use strict";

(() => {
  const form = document.getElementById("verify");
  const shown = document.getElementById("verdict");
  const words = JSON.parse(form.dataset.words);
  const PIECE = 1 << 18;
  const SVG = "http://www.w3.org/2000/svg";

  const loading = fetch(form.dataset.module)
    .then((answer) => (answer.ok ? answer.arrayBuffer() : Promise.reject(new Error(answer.status))))
    .then((bytes) => WebAssembly.compile(bytes));
  loading.then(
    () => {
      document.getElementById("verify-where").hidden = true;
      document.getElementById("verify-local").hidden = false;
      form.dataset.ready = "yes";
    },
    // The form goes on to work as it does without scripts.
    () => (form.dataset.ready = "no"),
  );

  form.addEventListener("submit", (event) => {
    if (form.dataset.ready === "no") return;
    event.preventDefault();
    judgeFile(form.elements.file.files[0]);
  });
  for (const kind of ["dragover", "drop"]) {
    form.addEventListener(kind, (event) => event.preventDefault());
  }
  form.addEventListener("drop", (event) => {
    if (event.dataTransfer.files.length === 0) return;
    form.elements.file.files = event.dataTransfer.files;
    judgeFile(event.dataTransfer.files[0]);
  });

  async function judgeFile(file) {
    if (!file) return;
    shown.replaceChildren(element("p", words.reading));
    try {
      const verdict = await judge(file, form.elements.trust.value);
      shown.replaceChildren(...draw(verdict));
    } catch (problem) {
      shown.replaceChildren(element("p", `${words.unreadable} ${problem.message}`));
    }
  }

  async function judge(file, trust) {
    // Each file gets a memory of its own.
    const { exports: engine } = await WebAssembly.instantiate(await loading);
    const write = (bytes) => {
      const at = engine.room(bytes.length);
      new Uint8Array(engine.memory.buffer, at, bytes.length).set(bytes);
      return bytes.length;
    };
    const read = () => {
      const bytes = new Uint8Array(engine.memory.buffer, engine.output(), engine.output_length());
      return new TextDecoder().decode(bytes);
    };
    if (engine.begin(write(new TextEncoder().encode(trust))) !== 0) throw new Error(read());
    const progress = document.createElement("progress");
    progress.max = file.size;
    shown.append(progress);
    for (let at = 0; at < file.size; at += PIECE) {
      const piece = await file.slice(at, at + PIECE).arrayBuffer();
      engine.feed(write(new Uint8Array(piece)));
      progress.value = at;
      // The page stays alive between pieces.
      await new Promise((next) => setTimeout(next));
    }
    engine.finish();
    return JSON.parse(read());
  }

  function draw(verdict) {
    const head = card(element("h2", verdict.ok ? words.holds : words.fails));
    head.dataset.ok = verdict.ok;
    head.append(element("p", words.local, "small quiet"));
    if (!verdict.vouched_for) head.append(element("p", words.untrusted, "small quiet"));
    if (verdict.findings.length > 0) {
      const list = element("ul", "", "stack tight small");
      list.append(...verdict.findings.map((finding) => element("li", finding.text)));
      head.append(list);
    }
    const parts = [head, totals(verdict.totals)];
    if (verdict.epochs.length > 0) parts.push(chain(verdict));
    return parts;
  }

  function totals(cells) {
    const table = element("table", "", "folds");
    table.append(element("caption", words.totals, "hidden-text"));
    const names = [words.meter, words.subject, words.units, words.acknowledged, words.disputed];
    const header = table.createTHead().insertRow();
    names.forEach((name, place) => {
      const cell = element("th", name, place > 1 ? "num" : "");
      cell.scope = "col";
      header.append(cell);
    });
    const body = table.createTBody();
    for (const cell of cells) {
      const row = body.insertRow();
      const dimensions = Object.entries(cell.dimensions).map(([name, value]) => ` ${name}=${value}`);
      const first = element("th", cell.meter + dimensions.join(""), "mono");
      first.scope = "row";
      row.append(first, element("td", cell.subject, "mono"));
      for (const units of [cell.units, cell.acknowledged, cell.disputed]) {
        row.append(element("td", BigInt(units).toLocaleString(document.documentElement.lang), "num"));
      }
    }
    const box = element("section", "", "card flush");
    box.append(table);
    return box;
  }

  // A line a stream's epoch: a tick a segment, red where numbers are missing, a triangle for a fork.
  function chain(verdict) {
    const box = card(element("h2", words.chain));
    for (const epoch of verdict.epochs) {
      const forks = verdict.forks.filter(
        (fork) => fork.stream === epoch.stream && fork.epoch === epoch.epoch,
      );
      const from = Math.min(epoch.from_seq, ...forks.map((fork) => fork.seq));
      const to = Math.max(epoch.to_seq, ...forks.map((fork) => fork.seq));
      const x = (seq) => 10 + (580 * (seq - from)) / Math.max(1, to - from);
      const picture = vector("svg", { viewBox: "0 0 600 40", class: "chain", role: "img" });
      const title = vector("title", {});
      const span = `${words.segments} ${epoch.from_seq}–${epoch.to_seq}`;
      const faults = [
        ...epoch.gaps.map(([first, last]) => `${words.gap} ${first}–${last}`),
        ...forks.map((fork) => `${words.fork} ${fork.seq}`),
      ];
      const said = [span, `${words.acknowledged} ${epoch.acknowledged}`, ...faults].join(", ");
      title.textContent = said;
      picture.append(title);
      picture.append(
        vector("line", { x1: x(epoch.from_seq), x2: x(epoch.to_seq), y1: 20, y2: 20, class: "link" }),
      );
      for (const [seq] of epoch.marks) {
        const sure = seq <= epoch.acknowledged ? "mark sure" : "mark";
        picture.append(vector("line", { x1: x(seq), x2: x(seq), y1: 13, y2: 27, class: sure }));
      }
      for (const [first, last] of epoch.gaps) {
        const start = x(first - 0.5);
        const wide = Math.max(3, x(last + 0.5) - start);
        picture.append(vector("rect", { x: start, y: 12, width: wide, height: 16, class: "gap" }));
      }
      for (const fork of forks) {
        const at = x(fork.seq);
        const points = `${at},28 ${at - 5},38 ${at + 5},38`;
        picture.append(vector("polygon", { points, class: "fork" }));
      }
      const time = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
      box.append(
        element("p", `${epoch.stream} · ${words.epoch} ${epoch.epoch}`, "mono small"),
        picture,
        element("p", said, "small"),
        element(
          "p",
          `${words.time} ${time(epoch.first_sealed_ms)} – ${time(epoch.last_sealed_ms)} UTC`,
          "small quiet",
        ),
      );
    }
    return box;
  }

  function card(...children) {
    const box = element("section", "", "card stack");
    box.append(...children);
    return box;
  }

  function element(name, text, classes = "") {
    const made = document.createElement(name);
    made.textContent = text;
    if (classes) made.className = classes;
    return made;
  }

  function vector(name, attributes) {
    const made = document.createElementNS(SVG, name);
    for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
    return made;
  }
})();
