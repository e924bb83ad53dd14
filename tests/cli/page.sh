#!/bin/sh
# The page of the report stage in a real browser: it opens from a file without asking the network for
# anything, has no script error, and draws in light and dark, on a screen and on a phone. Skipped where
# there is no Chromium. KEEP=FOLDER leaves the screenshots there to be looked at.
set -u
. "$(dirname "$0")/../support/tap.sh"
browser=$(command -v chromium || command -v chromium-browser || true)
if [ -z "$browser" ]; then
    skip 'no Chromium here (Debian: chromium)'
    end_of_tests
fi

browse() {
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars \
        --user-data-dir="$box/profile" "$@" "file://$box/page.html" 2>"$box/browser.log"
}

# shot NAME WIDTH [FLAG...]: a screenshot of more than a blank page
shot() {
    name=$1
    width=$2
    shift 2
    browse --window-size="$width,3000" --screenshot="$box/$name.png" "$@" >/dev/null &&
        [ "$(wc -c <"$box/$name.png")" -gt 60000 ]
}

"$PROGRAM" generate "$box/shop.db" --users 300 --items 200 --events 9000 --seed 5 2>/dev/null
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
  - evaluate: {metrics: [recall@20, ndcg@20]}
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
check 'every chart is in the document' [ "$(grep -o '<svg' "$box/dom.html" | wc -l)" -ge 9 ]
check 'every chart says what it shows' [ "$(grep -o 'role="img" aria-label="[^"]' "$box/dom.html" | wc -l)" -eq \
    "$(grep -o '<svg' "$box/dom.html" | wc -l)" ]
check 'the document ends where it should' grep -q '</main>' "$box/dom.html"
check 'dots have titles' grep -q '<circle class="d c[0-7]"[^>]*><title>[^<]' "$box/dom.html"
# nothing that a browser would fetch by itself
check 'nothing is fetched' [ "$(grep -c -o -E '(href|src|srcset|data|action)="[^#"]' "$box/dom.html")" -eq 0 ]
check 'a wide screen' shot wide 1200
check 'a phone' shot phone 400
check 'in the dark' shot dark 1200 --blink-settings=preferredColorScheme=0
check 'the dark is another picture' [ "$(cksum <"$box/wide.png")" != "$(cksum <"$box/dark.png")" ]
if [ -n "${KEEP:-}" ]; then
    mkdir -p "$KEEP" && cp "$box"/*.png "$box/page.html" "$KEEP"
fi
end_of_tests
