// F6 goes round the parts of the window.

const PARTS = [
  ".sidebar [aria-current=true], .sidebar a, .sidebar button",
  "main [role=listitem][tabindex='0']",
  "main textarea",
  ".side-panel input, .side-panel button",
];

function parts(): HTMLElement[] {
  return PARTS.map((selector) => document.querySelector<HTMLElement>(selector)).filter(
    (part) => part !== null && part.checkVisibility({ visibilityProperty: true }),
  ) as HTMLElement[];
}

export function focusLandmark(step: 1 | -1): void {
  const all = parts();
  const active = document.activeElement;
  const at = all.findIndex((part) => part === active || landmarkOf(part)?.contains(active));
  all[(at + step + all.length) % all.length]?.focus();
}

/** The part of the window that an element belongs to, as far as F6 is concerned. */
function landmarkOf(element: HTMLElement): Element | null {
  return element.closest(".sidebar, [role=list], form, .side-panel");
}
