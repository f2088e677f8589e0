"use strict";
(() => {
  const doubtful = [...document.querySelectorAll("article.doubtful")];
  const bar = document.querySelector(".bar");
  if (!bar || doubtful.length === 0) return;
  const place = document.getElementById("place");
  let at = -1;
  const tell = () => { place.textContent = at < 0 ? `${doubtful.length} doubtful` : `${at + 1} of ${doubtful.length}`; };
  const go = (step) => {
    at = at < 0 ? (step > 0 ? 0 : doubtful.length - 1) : (at + step + doubtful.length) % doubtful.length;
    doubtful[at].focus({ preventScroll: true });
    doubtful[at].scrollIntoView({ block: "start" });
    tell();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "n" || event.key === "j") go(1);
    if (event.key === "p" || event.key === "k") go(-1);
  });
  for (const button of bar.querySelectorAll("button")) button.addEventListener("click", () => go(Number(button.dataset.step)));
  bar.hidden = false;
  tell();
})();
