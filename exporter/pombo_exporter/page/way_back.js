// The view of all hosts that this tab had last, so that a link to all hosts leads back to it.

const STORED = "pombo.view";

/** Keeps the query of the page's address. */
export function keepView() {
  try {
    sessionStorage.setItem(STORED, location.search);
  } catch {
    // The browser forbids it, and links lead to the page without a filter.
  }
}

/** Lets the link to all hosts, where the page has one, lead back to the view that was kept. */
export function linkBack() {
  try {
    const link = document.querySelector(".home a");
    if (link) link.search = sessionStorage.getItem(STORED) ?? "";
  } catch {
    // As above.
  }
}
