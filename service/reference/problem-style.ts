/** The style of the pages of problem codes: the colours and measures of the auditors' pages, in a few lines. */

export const problemStyle = `
:root { color-scheme: light dark; --page: #ffffff; --panel: #f6f7f9; --text: #1b2330; --quiet: #566072;
  --line: #dfe3e9; --accent: #1c5bb8; --good: #17693a;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace; }
@media (prefers-color-scheme: dark) { :root { --page: #12161d; --panel: #1a2029; --text: #e4e8ee; --quiet: #a2adbd;
  --line: #2c3542; --accent: #86b4f5; --good: #6fcf97; } }
* { box-sizing: border-box; }
html { font: 15px/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", "PingFang SC", "Microsoft YaHei",
  "Noto Sans CJK SC", sans-serif; background: var(--page); color: var(--text); font-variant-numeric: tabular-nums; }
body { margin: 0; }
a { color: var(--accent); text-underline-offset: 2px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
.top { display: flex; align-items: center; gap: 8px 16px; min-height: 48px; padding: 0 20px; border-bottom: 1px solid var(--line); }
.top a { display: inline-flex; align-items: center; min-height: 44px; }
.brand { font-weight: 650; color: var(--text); text-decoration: none; }
.top .language { margin-left: auto; white-space: nowrap; }
main { max-width: 760px; margin: 0 auto; padding: 24px 20px 56px; }
main.wide { max-width: 1000px; }
h1 { font-size: 24px; line-height: 1.3; font-weight: 650; margin: 0 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 15px; font-weight: 650; margin: 28px 0 6px; }
p { margin: 0 0 8px; }
code, pre { font-family: var(--mono); font-size: 0.88em; }
code { background: var(--panel); border-radius: 4px; padding: 1px 5px; overflow-wrap: anywhere; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 12px 14px; overflow-x: auto; line-height: 1.5; margin: 0; }
.name { color: var(--quiet); margin: 0 0 18px; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 1px; margin: 0;
  background: var(--line); border: 1px solid var(--line); border-radius: 6px; overflow: hidden; }
.facts div { background: var(--panel); padding: 10px 14px; }
dt { color: var(--quiet); font-size: 13px; }
dd { margin: 0; font-weight: 600; }
.yes { color: var(--good); }
.lead { color: var(--quiet); max-width: 68ch; }
.codes { list-style: none; margin: 8px 0 0; padding: 0; border-top: 1px solid var(--line); }
.codes a { display: grid; grid-template-columns: 250px 1fr 3.5ch 9em; gap: 4px 16px; align-items: baseline; padding: 9px 4px;
  border-bottom: 1px solid var(--line); text-decoration: none; color: var(--text); }
.codes a:hover { background: var(--panel); }
.codes a:hover .code { text-decoration: underline; }
.codes .code { font-family: var(--mono); font-size: 13px; color: var(--accent); overflow-wrap: anywhere; }
.codes .status { color: var(--quiet); }
.codes .retry { font-size: 13px; text-align: right; }
@media (max-width: 700px) { main { padding: 18px 16px 40px; } .top { padding: 0 16px; }
  .codes a { grid-template-columns: 1fr 9em; padding: 11px 2px; } .codes .title { grid-column: 1; grid-row: 2; }
  .codes .status { text-align: right; } .codes .retry { grid-row: 2; text-align: right; } }
`
