#!/bin/sh
# The page of the report stage in a real browser: it opens from a file without asking the network for
# anything, has no script error, draws in light and dark, on a screen and on a phone, and axe-core finds
# nothing in it (AXE=FILE, or an axe-core that npm has installed for all; without one that is skipped).
# Skipped where there is no Chromium. KEEP=FOLDER leaves the screenshots there to be looked at.
set -u
. "$(dirname "$0")/../support/tap.sh"
browser=$(command -v chromium || command -v chromium-browser || true)
if [ -z "$browser" ]; then
    skip 'no Chromium here (Debian: chromium)'
    end_of_tests
fi

browse() {
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars \
        --user-data-dir="$box/profile" "$@" "file://$box/${page:-page.html}" 2>"$box/browser.log"
}

# ask SCRIPT [FLAG...]: what the JavaScript, put into the page, leaves in `said`
ask() {
    { sed 's,</body></html>,,' "$box/page.html" && echo '<script>' && cat "$1" && echo '</script></body></html>'; } \
        >"$box/asked.html"
    shift
    page=asked.html browse --virtual-time-budget=60000 --dump-dom "$@" | sed -n 's/.*SAID:\([^<]*\).*/\1/p'
}

# shot NAME WIDTH [FLAG...]: a screenshot of more than a blank page
shot() {
    name=$1
    width=$2
    shift 2
    browse --window-size="$width,3000" --screenshot="$box/$name.png" "$@" >/dev/null &&
        [ "$(wc -c <"$box/$name.png")" -gt 60000 ]
}

"$PROGRAM" generate "$box/shop.db" --until 2026-01-01 --users 300 --items 200 --events 9000 --seed 5 2>/dev/null
cat >"$box/shop.yaml" <<'YAML'
pipeline: shop
source: {database: shop.db, interactions: "SELECT user_id, item_id, event, created_at FROM events"}
stages:
  - interactions: {split: {by: time, valid: 7d, test: 7d}}
  - checks: {}
  - pairs: {}
  - negatives: {strategy: all}
  - train: {dimension: 16, epochs: 5}
  - calibrate: {}
  - evaluate: {metrics: [recall@20, ndcg@20], roll: {days: 7}, gate: {ndcg@20: {min: 0.001}}}
  - refit: {}
  - recommend: {top: 10}
  - publish: {}
  - report: {path: page.html, items: "SELECT item_id, title, category FROM items"}
YAML
for night in 1 2 3; do
    sqlite3 "$box/shop.db" "DELETE FROM events WHERE rowid % 40 = $night"
    check "night $night" "$PROGRAM" run "$box/shop.yaml"
done
check 'the page opens' browse --dump-dom
cp "$box/said" "$box/dom.html"
check 'every chart is in the document' [ "$(grep -o '<svg viewBox' "$box/dom.html" | wc -l)" -ge 8 ]
check 'every chart says what it shows' [ "$(grep -o 'role="img" aria-label="[^"]' "$box/dom.html" | wc -l)" -eq \
    "$(grep -o -e '<svg viewBox' -e 'class="nights"' "$box/dom.html" | wc -l)" ]
check 'what is drawn stands in a table, too' [ "$(grep -c 'The figures as a table' "$box/dom.html")" -ge 5 ]
check 'the metric of the gate comes first' sh -c "grep -o '<h3>[^<]*' '$box/dom.html' | head -n 1 | grep -q ndcg@20"
check 'runs stand at their time' grep -q -E '<text class="t"[^>]*>([0-9]+ [A-Z][a-z]+|[0-9]+:[0-9:]+)</text>' "$box/dom.html"
check 'evenings are drawn' grep -q '<h2>Evening by evening' "$box/dom.html"
check 'the document ends where it should' grep -q '</main>' "$box/dom.html"
check 'marks have titles' grep -q '<path class="d c[0-7]"[^>]*><title>[^<]' "$box/dom.html"
check 'the page is small' [ "$(wc -c <"$box/page.html")" -lt 400000 ]
# nothing that a browser would fetch by itself
check 'nothing is fetched' [ "$(grep -c -o -E '(href|src|srcset|data|action)="[^#"]' "$box/dom.html")" -eq 0 ]
check 'a wide screen' shot wide 1200
check 'a phone' shot phone 400
check 'in the dark' shot dark 1200 --blink-settings=preferredColorScheme=0
check 'the dark is another picture' [ "$(cksum <"$box/wide.png")" != "$(cksum <"$box/dark.png")" ]
# where nothing moves sideways; the groups with all their columns. No window is as small as a phone
cat >"$box/wide.js" <<'JS'
document.body.style.width = '400px';
const boxes = [...document.querySelectorAll('.scroll')].filter(b => !b.closest('details'));
document.body.textContent = 'SAID:' + [document.body.scrollWidth <= 400,
    boxes.filter(b => b.scrollWidth > b.clientWidth + 1).map(b => b.ariaLabel).join(', ')].join(' ');
JS
check 'nothing is cut off on a phone' [ "$(ask "$box/wide.js" --window-size=600,900)" = 'true ' ]
axe=${AXE:-$(npm root -g 2>/dev/null)/axe-core/axe.min.js}
if [ -f "$axe" ]; then
    { cat "$axe" && echo ';axe.run().then(r => { document.body.textContent = "SAID:" +
        r.violations.map(v => v.id + ": " + v.nodes[0].html).join("; ") + r.passes.length; });'; } >"$box/axe.js"
    check 'axe-core finds nothing' sh -c "echo '$(ask "$box/axe.js")' | grep -x '[1-9][0-9]*'"
else
    skip 'no axe-core here (npm install -g axe-core)'
fi
if [ -n "${KEEP:-}" ]; then
    mkdir -p "$KEEP" && cp "$box"/*.png "$box/page.html" "$KEEP"
fi
end_of_tests
