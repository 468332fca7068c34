// What the browser does by itself: colours, copying a link, folding the control bar, going to a card, asking for the
// cards after the first one, and telling which point is meant.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  // Below this width plots are drawn without words beside them.
  const narrow = matchMedia("(max-width: 860px)");

  const choice = () => {
    try { return localStorage.getItem("theme") || "auto"; } catch { return "auto"; }
  };
  const look = () => {
    const theme = choice() === "auto" ? (dark.matches ? "dark" : "light") : choice();
    return `${theme}-${narrow.matches ? "narrow" : "wide"}`;
  };
  const paint = () => {
    root.dataset.theme = look().split("-")[0];
    document.cookie = `look=${look()}; path=/; max-age=31536000; samesite=lax`;
    for (const button of document.querySelectorAll("[data-theme-choice]"))
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice()));
    // The chart's colours are drawn by the server; it draws again only where it had another look in mind.
    const drawn = document.querySelector("[data-look]");
    if (drawn && drawn.dataset.look !== look()) {
      drawn.dataset.look = look();
      window.dash_clientside.set_props("look", { data: look() });
    }
  };
  paint();
  dark.addEventListener("change", paint);
  narrow.addEventListener("change", paint);
  window.addEventListener("storage", paint);
  const once = (selector, then) => new MutationObserver((_, observer) => {
    if (!document.querySelector(selector)) return;
    observer.disconnect();
    then();
  }).observe(root, { childList: true, subtree: true });

  // The page is put together here, after the browser has looked for the anchor of its address.
  const goToAnchor = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target) target.scrollIntoView();
    return Boolean(target);
  };
  // Cards get their heights one after another, and what stands under them comes last: what the link is to stays in sight
  // until the reader does something.
  const stayAtAnchor = () => {
    const growing = new ResizeObserver(goToAnchor);
    growing.observe(document.getElementById("content"));
    for (const name of ["wheel", "touchmove", "pointerdown", "keydown"])
      addEventListener(name, () => growing.disconnect(), { capture: true, once: true, passive: true });
  };
  once("[data-theme-choice]", paint);
  once("[data-look]", () => {
    paint();
    if (location.hash.length > 1) stayAtAnchor();
    const current = document.querySelector(".site-header [aria-current]");
    current.parentElement.scrollLeft = current.offsetLeft - current.parentElement.offsetLeft;
  });
  // A link within the page scrolls up by itself, after it has told of the new address.
  window.addEventListener("_dashprivate_pushstate", () => setTimeout(goToAnchor));

  // Until the scripts have drawn the page, the same page stands in its place as a picture, where it is ready.
  const live = ".js-plotly-plot .main-svg, [data-look] ~ .card .notice";
  if (!location.search) {
    const stand = document.createElement("div");
    stand.id = "first-view";
    fetch(`/first-view?path=${encodeURIComponent(location.pathname)}&look=${look()}`)
      .then((answer) => (answer.status === 200 ? answer.text() : ""))
      .then((markup) => {
        if (!markup || document.querySelector(live)) return;
        stand.innerHTML = markup;
        const show = () => document.body.append(stand);
        if (document.body) show(); else once("body", show);
      })
      .catch(() => { /* The page comes without it. */ });
    once(live, () => requestAnimationFrame(() => requestAnimationFrame(() => stand.remove())));
  }

  // A later card is asked for when the reader gets near it, and again after an action. One that is far away then is
  // out of date: it is hidden until it was asked for again.
  const near = new Set(), due = new Set();
  let wanted = null;
  const ask = (part) => {
    if (!wanted || !due.delete(part)) return;
    part.removeAttribute("data-old");
    window.dash_clientside.set_props({ section: part.dataset.later, store: "asked" }, { data: wanted });
  };
  const watcher = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      if (isIntersecting) near.add(target); else near.delete(target);
      if (isIntersecting) ask(target);
    }
  }, { rootMargin: "300px 0px" });
  // The first card is on the screen before the others are asked for.
  once(live, () => requestAnimationFrame(() => setTimeout(() => {
    wanted = wanted || { search: location.search, look: look() };
    for (const part of document.querySelectorAll("[data-later]")) {
      due.add(part);
      watcher.observe(part);
    }
    // A link may be to what stands under the cards, which is nowhere until it was asked for.
    if (location.hash.length > 1 && !document.getElementById(location.hash.slice(1)))
      ask(document.querySelector('[data-later="below"]'));
  })));
  const later = (asked, sections) => {
    wanted = asked;
    return sections.map(({ section }) => {
      const part = document.querySelector(`[data-later="${section}"]`);
      if (near.has(part)) {
        due.delete(part);
        return asked;
      }
      due.add(part);
      part.setAttribute("data-old", "");
      return window.dash_clientside.no_update;
    });
  };

  // Dash calls a group of radio buttons a list box and leaves drop-downs without their label: readers of the screen are
  // told what they are.
  const nameControls = () => {
    for (const target of document.querySelectorAll(".dash-dropdown-focus-target[aria-hidden]")) {
      const label = target.closest(".field").querySelector("label");
      const button = target.parentElement.querySelector("button");
      label.id = `${button.id}-label`;
      button.setAttribute("aria-labelledby", `${label.id} ${button.id}-value`);
      target.setAttribute("aria-labelledby", label.id);
      target.removeAttribute("aria-hidden");
    }
    for (const group of document.querySelectorAll(".segments[role=listbox]")) {
      group.setAttribute("role", "radiogroup");
      group.setAttribute("aria-label", group.closest("fieldset").querySelector("legend").textContent);
    }
    for (const option of document.querySelectorAll(".segments [role=option], .segments label[aria-selected]")) {
      option.removeAttribute("role");
      option.removeAttribute("aria-selected");
    }
  };
  new MutationObserver(nameControls).observe(root, {
    childList: true, subtree: true, attributes: true, attributeFilter: ["aria-selected"],
  });

  // A table comes as one text: with a component of Dash for each cell every change of the page would take long.
  const fillTable = (frame) => {
    const { header, rows, numbers, heads } = JSON.parse(frame.dataset.table);
    const table = document.createElement("table");
    const fill = (row, texts, isHead) => texts.forEach((text, at) => {
      const cell = document.createElement(isHead || (heads && at === 0) ? "th" : "td");
      if (cell.tagName === "TH") cell.scope = isHead ? "col" : "row";
      if (numbers.includes(at)) cell.className = "number";
      cell.textContent = text;
      row.append(cell);
    });
    fill(table.createTHead().insertRow(), header, true);
    const body = table.createTBody();
    for (const texts of rows) fill(body.insertRow(), texts, false);
    frame.replaceChildren(table);
  };
  new MutationObserver((changes) => {
    const frames = new Set(changes.filter(({ type }) => type === "attributes").map(({ target }) => target));
    for (const { addedNodes } of changes)
      for (const node of addedNodes)
        if (node.nodeType === Node.ELEMENT_NODE)
          for (const frame of [node, ...node.querySelectorAll("[data-table]")])
            if (frame.dataset.table && !frame.firstChild) frames.add(frame);
    for (const frame of frames) if (frame.dataset.table) fillTable(frame);
  }).observe(root, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-table"] });

  const copy = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  };

  // A browser leaves a link in sight of which it sees a part.
  document.addEventListener("focusin", ({ target }) => {
    if (target.closest(".site-header nav")) target.scrollIntoView({ block: "nearest", inline: "nearest" });
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.themeChoice) {
      try { localStorage.setItem("theme", button.dataset.themeChoice); } catch { /* kept for this page only */ }
      paint();
    } else if (button.dataset.toggles) {
      const open = document.getElementById(button.dataset.toggles).classList.toggle("open");
      button.setAttribute("aria-expanded", String(open));
    } else if (button.dataset.copy) {
      const label = button.textContent;
      await copy(location.origin + location.pathname + button.dataset.copy);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = label; }, 1500);
    } else if (button.dataset.point) {
      const chart = button.closest(".card").id;
      window.dash_clientside.set_props({ part: "point", chart }, { data: JSON.parse(button.dataset.point) });
    }
  });

  document.addEventListener("keydown", (event) => {
    const close = event.key === "Escape" && event.target.closest(".card")?.querySelector('[data-point="null"]');
    if (!close) return;
    const back = close.closest(".card").querySelector(".newest button");
    close.click();
    if (back) back.focus();
  });

  // Dash opens a drop-down for the space that is let go, and the browser's own click closes it again.
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && event.target.matches(".dash-dropdown")) event.stopPropagation();
  }, true);

  // With one label for all lines, a click is on every line at once: the nearest one to the pointer is meant.
  let pointer = { x: 0, y: 0 };
  document.addEventListener("mousedown", (event) => { pointer = { x: event.clientX, y: event.clientY }; }, true);
  const distance = (point, frame) =>
    Math.hypot(point.xPixel + frame.left - pointer.x, point.yPixel + frame.top - pointer.y) || 0;
  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    page: {
      later,
      nearest: (click, id) => {
        const points = ((click || {}).points || []).filter((point) => (point.customdata || []).length === 4);
        if (!points.length) return window.dash_clientside.no_update;
        const frame = document.getElementById(id.chart).querySelector(".js-plotly-plot").getBoundingClientRect();
        points.sort((a, b) => distance(a, frame) - distance(b, frame));
        return points[0].customdata;
      },
    },
  });
})();
