#include "report/sections.hpp"

namespace omnifit::report {

// Colours are variables, so that dark screens and paper only change the variables. Plots are drawn
// twice, for wide and for narrow pages, so that their text keeps its size; one of both is shown.
const char* const kPageStyle = R"css(
:root {
  color-scheme: light dark;
  --paper: #fdfdfb; --ink: #22252a; --soft: #5d636c; --rule: #dcdedb; --faint: #eceeea; --wash: #f5f6f2;
  --good: #00694e; --bad: #a8400a;
  --c0: #0a6aa8; --c1: #c24e00; --c2: #00795a; --c3: #a8487e; --c4: #a87400; --c5: #6fa9d6; --c6: #3c4047;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #16181b; --ink: #e4e5e2; --soft: #a0a5ab; --rule: #393d42; --faint: #282b2f; --wash: #1d2023;
    --good: #4cc79f; --bad: #f19a62;
    --c0: #62b2ea; --c1: #f08a4b; --c2: #3cc79a; --c3: #e493bd; --c4: #e2b13c; --c5: #5b8fbb; --c6: #d2d4d6;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 0 clamp(1rem, 4vw, 2.5rem) 4rem; max-width: 68rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif;
  font-variant-numeric: tabular-nums;
}
h1, h2, h3, .lead { font-family: "Iowan Old Style", "Palatino Linotype", Palatino, "Book Antiqua", Georgia, serif; text-wrap: balance; }
h1 { font-size: clamp(1.7rem, 4.6vw, 2.6rem); line-height: 1.18; font-weight: 600; margin: .2rem 0 .8rem; max-width: 24em; }
h2 { font-size: 1.45rem; line-height: 1.25; font-weight: 600; margin: 0 0 1rem; }
h3 { font-size: 1.05rem; font-weight: 600; margin: 0 0 .3rem; }
p { max-width: 44em; margin: 0 0 1rem; }
header { padding-top: clamp(1.8rem, 6vw, 4rem); }
section { border-top: 1px solid var(--rule); padding-top: 1.5rem; margin-top: 2.8rem; }
a { color: var(--c0); text-underline-offset: .18em; text-decoration-thickness: 1px; }
.kicker { color: var(--soft); margin: 0; overflow-wrap: anywhere; }
.lead { font-size: clamp(1.08rem, 2.4vw, 1.3rem); line-height: 1.45; max-width: 36em; text-wrap: pretty; }
.origin, .note, figcaption, small, .facts dt { color: var(--soft); }
.origin, .note { font-size: .9rem; overflow-wrap: break-word; } .origin { max-width: none; }
nav { display: flex; flex-wrap: wrap; gap: .15rem 1.1rem; font-size: .95rem; margin-top: 1.2rem; }
.missing { background: var(--wash); border-left: 3px solid var(--rule); padding: .7rem 1rem; color: var(--soft); overflow-wrap: anywhere; }
.good { color: var(--good); } .bad, small.bad { color: var(--bad); } .none { color: var(--soft); }

.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(11.5rem, 42%), 1fr)); gap: .9rem 1.6rem; margin: 0 0 1.8rem; }
.facts dt { font-size: .82rem; } .facts dd { margin: 0; overflow-wrap: anywhere; line-height: 1.4; }

table { border-collapse: collapse; width: 100%; font-size: .93rem; line-height: 1.4; margin: 0 0 1.2rem; }
th, td { text-align: left; vertical-align: top; padding: .6rem 1.2rem .6rem 0; border-bottom: 1px solid var(--faint); overflow-wrap: break-word; }
td a, td code { overflow-wrap: anywhere; }
th { font-weight: 500; font-size: .82rem; color: var(--soft); border-bottom-color: var(--rule); vertical-align: bottom; overflow-wrap: normal; }
th:last-child, td:last-child { padding-right: 0; }
.num { text-align: right; } td.num { white-space: nowrap; } td b { font-weight: 600; }
td small { display: block; font-size: .8rem; line-height: 1.35; }
tr.compared td { background: var(--wash); } tr.compared td:first-child { padding-left: .6rem; }
tr.total td { border-top: 1px solid var(--rule); border-bottom: 0; font-weight: 600; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .82em; }
pre { background: var(--wash); border: 1px solid var(--faint); padding: .8rem 1rem; overflow-x: auto; line-height: 1.45; margin: 0 0 1rem; }
.arch-text { display: block; color: var(--soft); font-size: .72rem; line-height: 1.35; margin-top: .25rem; overflow-wrap: anywhere; }
details { margin: 0 0 .8rem; } summary { cursor: pointer; padding: .3rem 0; }
.failures { margin-top: -.6rem; padding-left: 1.2rem; font-size: .9rem; overflow-wrap: anywhere; }

figure { margin: 0 0 2.2rem; }
figure.beside { display: grid; grid-template-columns: minmax(0, 44rem) minmax(13rem, 1fr); gap: .4rem 2rem; align-items: start; }
figure.square { grid-template-columns: minmax(0, 34rem) minmax(13rem, 1fr); }
figcaption { font-size: .9rem; line-height: 1.5; text-wrap: pretty; }
figure.beside figcaption { padding-top: 1.9rem; }
.several { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 1.8rem 2rem; margin-bottom: 2rem; }
.several figure { margin: 0; } .several figcaption { margin-top: .4rem; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; margin: 0 0 .5rem; padding: 0; font-size: .85rem; color: var(--soft); }
.legend li { display: inline-flex; align-items: center; gap: .4rem; }
.legend.archs { margin-bottom: 1.2rem; row-gap: .4rem; } .legend.archs svg { margin: 0; flex: none; } .legend.archs li { align-items: flex-end; line-height: 1.15; }
.swatch { width: 26px; height: 16px; flex: none; }
.plot { display: block; width: 100%; height: auto; overflow: visible; }
.narrow { display: none; }
.plot text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif; fill: var(--soft); }
.plot .label, .plot .markname { fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round; }
.plot .markname { fill: var(--soft); } .plot .title { fill: var(--ink); }
.plot .grid { stroke: var(--faint); } .plot .axis { stroke: var(--soft); }
.plot .mark { stroke: var(--soft); stroke-dasharray: 2 3; } .plot .leader { stroke: var(--soft); stroke-width: .7; }
.plot .band { fill: var(--c6); fill-opacity: .09; } .plot .identity { stroke: var(--soft); fill: none; stroke-dasharray: 5 4; }
.join { fill: none; stroke-width: 1.7; stroke-linejoin: round; } .dashed { stroke-dasharray: 5 3; }
.ring { fill: var(--paper); fill-opacity: .4; stroke-width: 1.5; }
.dot { stroke: var(--paper); stroke-width: .7; }
.arch { display: block; max-width: 100%; height: auto; margin-bottom: .3rem; } .arch .dot { stroke: none; }
.arch .ground { stroke: var(--rule); } .arch .skipped { fill: none; stroke: var(--soft); stroke-width: .8; }
.dot.c0 { fill: var(--c0); } .dot.c1 { fill: var(--c1); } .dot.c2 { fill: var(--c2); } .dot.c3 { fill: var(--c3); }
.dot.c4 { fill: var(--c4); } .dot.c5 { fill: var(--c5); } .dot.c6 { fill: var(--c6); }
.ring.c0, .join.c0 { stroke: var(--c0); } .ring.c1, .join.c1 { stroke: var(--c1); } .ring.c2, .join.c2 { stroke: var(--c2); }
.ring.c3, .join.c3 { stroke: var(--c3); } .ring.c4, .join.c4 { stroke: var(--c4); } .ring.c5, .join.c5 { stroke: var(--c5); }
.ring.c6, .join.c6 { stroke: var(--c6); }

@media (max-width: 60rem) {
  figure.beside { grid-template-columns: minmax(0, 1fr); } figure.square .canvas { max-width: 34rem; }
  figure.beside figcaption { padding-top: 0; max-width: 44em; }
}
@media screen and (max-width: 44rem) {
  .wide { display: none; } .narrow { display: block; }
  table.stack thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table.stack, table.stack tbody { display: block; }
  table.stack tr { display: grid; grid-template-columns: 1fr 1fr; gap: .5rem 1rem; padding: .9rem 0; border-bottom: 1px solid var(--rule); }
  table.stack td { display: block; padding: 0; border: 0; text-align: left; white-space: normal; min-width: 0; }
  table.stack td::before { content: attr(data-label); display: block; font-size: .78rem; color: var(--soft); }
  table.stack td:first-child { grid-column: 1 / -1; font-size: 1.02rem; } table.stack td:first-child::before { content: none; }
  table.stack td:last-child { grid-column: 1 / -1; }
  table.stack td:empty { display: none; }
  tr.compared { background: var(--wash); padding-inline: .6rem !important; } tr.compared td:first-child { padding-left: 0; }
}
@media print {
  @page { margin: 16mm 15mm; }
  html { font-size: 9pt; }
  body { max-width: none; padding: 0; background: none; }
  header { padding-top: 0; } nav { display: none; }
  a { color: inherit; text-decoration: none; }
  section { margin-top: 1.6rem; padding-top: 1rem; }
  h2, h3 { break-after: avoid; } figure, tr, .facts div, .missing { break-inside: avoid; } thead { display: table-header-group; }
  figure.beside { grid-template-columns: minmax(0, 1fr); } .plot { max-width: 138mm; } .square .plot { max-width: 100mm; } .several .plot { max-width: 80mm; }
  .several { grid-template-columns: 1fr 1fr; }
  details::details-content { content-visibility: visible; block-size: auto; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  th, td { padding-right: .8rem; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)css";

}  // namespace omnifit::report
