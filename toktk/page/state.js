// What is shown: size, language, hidden tokenizers, text and so on. It lives in the hash of the address, so that
// whoever opens the same address sees the same.
"use strict";

const State = (() => {
  const KEYS = ["size", "language", "hidden", "text", "tokenizers", "vocabulary", "metric", "verdict", "filter",
    "sizes", "sort", "width", "theme"];
  const values = new Map();
  const watchers = [];

  function read() {
    if (!location.hash.includes("=") && location.hash.length > 1) return;
    values.clear();
    for (const [key, value] of new URLSearchParams(location.hash.slice(1))) {
      if (KEYS.includes(key)) values.set(key, value);
    }
  }

  function write() {
    const shown = new URLSearchParams();
    for (const key of KEYS) if (values.has(key)) shown.set(key, values.get(key));
    const hash = shown.toString();
    // With replaceState no hashchange follows, and the way back leads out of the page, not through every size.
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }

  let isWaiting = false;
  function set(key, value) {
    if (value === undefined || value === "" || value === null) values.delete(key);
    else values.set(key, String(value));
    if (isWaiting) return;
    isWaiting = true; // browsers refuse too many changes of the address in a short time
    setTimeout(() => {
      isWaiting = false;
      write();
    }, 250);
  }

  const get = (key, otherwise = "") => (values.has(key) ? values.get(key) : otherwise);
  // Lists: names may hold anything, so each is encoded by itself.
  const list = (key) => get(key).split(",").filter(Boolean).map(decodeURIComponent);
  const setList = (key, names) => set(key, [...names].map(encodeURIComponent).join(","));

  function start(watcher) {
    watchers.push(watcher);
    read();
    addEventListener("hashchange", () => {
      read();
      for (const each of watchers) each();
    });
  }

  return { start, get, set, list, setList };
})();
