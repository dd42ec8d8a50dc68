"""The look of the page: a laptop, a phone and paper."""

from __future__ import annotations

# Grey text on white has a contrast of 6.1, on the coloured grounds of 5.5 and more.
CSS = """
:root { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 1.5rem 1.25rem 3rem; color: #22262b;
  background: #fff; }
h1 { margin: 0 0 1rem; font-size: 1.7rem; line-height: 1.2; }
h2 { margin: 2.6rem 0 .8rem; padding-top: .6rem; border-top: 2px solid #16365c;
  font-size: 1.25rem; line-height: 1.25; }
h3 { margin: 1.2rem 0 .4rem; font-size: 1rem; }
p { margin: 0 0 .8rem; max-width: 48rem; }
a { color: #0b4a8f; }
.note { margin-top: .6rem; }
.note, figcaption { color: #59626d; font-size: .9rem; }
.bad { color: #a3261b; font-weight: 600; }

.head { display: flex; flex-wrap: wrap; gap: 1rem; }
.card { display: flex; flex-direction: column; flex: 1 0 9.5rem; max-width: 13rem;
  padding: .8rem 1.1rem; border-radius: 8px; background: #16365c; color: #fff; }
.card strong { font-size: 2.3rem; line-height: 1.15; }
.card .name { font-weight: 600; }
dl { flex: 1 1 26rem; min-width: 0; margin: 0; display: grid; gap: .15rem; }
dl div { display: grid; grid-template-columns: 6.2rem minmax(0, 1fr); }
dt { color: #59626d; }
dd { margin: 0; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin-top: 1.2rem; }

figure { margin: 0 0 1rem; min-width: 0; }
figcaption { margin-top: .4rem; max-width: 48rem; }
svg { display: block; width: 100%; height: auto; }
svg * { stroke-linejoin: round; stroke-linecap: butt; }
img { display: block; max-width: 100%; height: auto; }
.two { display: grid; gap: 1.5rem; grid-template-columns: repeat(2, minmax(0, 1fr)); }
.three { display: grid; gap: 1.2rem; grid-template-columns: repeat(3, minmax(0, 1fr)); }

.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid #0b4a8f; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #dfe3e8; }
thead th { vertical-align: bottom; border-bottom: 2px solid #c4cbd3; color: #59626d;
  font-size: .9rem; font-weight: 600; }
th[scope=row] { text-align: left; font-weight: 600; white-space: nowrap; }
th:first-child { text-align: left; }
.metrics td:last-child, .metrics th:last-child { text-align: left; min-width: 17rem; }
.metrics tbody td:nth-child(2) { font-weight: 600; }
.plain td, .files td:nth-child(2), .files th:nth-child(2), .files td:last-child,
.files th:last-child { text-align: left; }
.plain thead { display: none; }
.plain td { overflow-wrap: anywhere; }
code { font: .85em/1.4 ui-monospace, Menlo, Consolas, monospace; }
.heat { width: 100%; }
.heat td { padding: .7rem .2rem; min-width: 2.9rem; border: 2px solid #fff;
  text-align: center; font-weight: 600; print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
.heat th { text-align: center; border: 0; }
.columns { columns: 3 18rem; column-gap: 2rem; }
.columns > div { break-inside: avoid; padding-bottom: .6rem; }
.columns h3 { margin-top: 0; }
.params { width: 100%; font-size: .88rem; }
.params th, .params td { padding: .12rem .4rem; }
.params th[scope=row] { font-weight: 400; white-space: normal; }
.params td { overflow-wrap: anywhere; }
.changed { background: #fdf0dc; print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
.changed span { color: #59626d; }

@media (max-width: 980px) {
  .three { grid-template-columns: repeat(2, minmax(0, 1fr)); }
}
@media (max-width: 700px) {
  .two, .three { display: block; }
  body { padding: 1rem .9rem 2rem; }
  h1 { font-size: 1.35rem; }
  .card strong { font-size: 1.9rem; }
  .scroll img { max-width: none; width: 46rem; }
}
@page { size: A4; margin: 14mm; }
@media print {
  :root { font-size: 10.5px; }
  body { max-width: none; padding: 0; }
  nav { display: none; }
  h2, h3 { break-after: avoid; }
  figure, tr, .head { break-inside: avoid; }
  .scroll { overflow: visible; }
  .scroll img { max-width: 72%; }
  .card { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  a { color: inherit; }
}
"""
