# Rows "SIZE STAGE SECONDS ..." as a log-log plot (SVG): one line a stage, and the slope of growth in
# proportion as dots. Variable `title`: the text on top.
function log10(x) { return log(x) / log(10) }
function x_at(size) { return left + (log10(size) - x_low) / (x_high - x_low) * width }
function y_at(seconds) { return top + (y_high - log10(seconds)) / (y_high - y_low) * height }
function text(x, y, anchor, words) {
    printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, words
}
function colour_of(stage) { return stages[stage] == "total" ? "#000" : colours[stage] }
$3 >= 0.01 && $2 != "unchanged" {
    if (!($1 in is_size)) { is_size[$1] = 1; sizes[++n_sizes] = $1 }
    if (!($2 in is_stage)) { is_stage[$2] = 1; stages[++n_stages] = $2 }
    seconds[$1, $2] = $3
    if (y_most == "" || $3 > y_most) { y_most = $3 }
    if (y_least == "" || $3 < y_least) { y_least = $3 }
}
END {
    if (n_sizes == 0) { exit }
    left = 60; top = 40; width = 480; height = 360
    x_low = log10(sizes[1]); x_high = log10(sizes[n_sizes])
    y_low = log10(y_least); y_low = y_low < 0 ? -int(-y_low + 0.999) : int(y_low)
    y_high = log10(y_most); y_high = y_high > 0 ? int(y_high + 0.999) : 0
    split("#1f77b4 #ff7f0e #2ca02c #d62728 #9467bd #8c564b #e377c2 #7f7f7f #bcbd22 #17becf", colours, " ")
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 700 450\" font-family=\"sans-serif\"" \
        " font-size=\"12\" role=\"img\">"
    print "<rect width=\"700\" height=\"450\" fill=\"#fff\"/>"
    text(left, 22, "start", title)
    for (y = y_low; y <= y_high; y++) {
        printf "<path d=\"M%.1f %.1fH%.1f\" stroke=\"#ddd\"/>\n", left, y_at(10 ^ y), left + width
        text(left - 6, y_at(10 ^ y) + 4, "end", sprintf(y < 0 ? "%.2f s" : "%d s", 10 ^ y))
    }
    for (i = 1; i <= n_sizes; i++) {
        printf "<path d=\"M%.1f %.1fV%.1f\" stroke=\"#ddd\"/>\n", x_at(sizes[i]), top, top + height
        text(x_at(sizes[i]), top + height + 18, "middle", sizes[i])
    }
    print "<g fill=\"none\" stroke=\"#999\" stroke-dasharray=\"2 5\">"
    for (y = y_low - 2; y <= y_high; y += 0.5) {
        start = y < y_low ? 10 ^ (x_low + y_low - y) : sizes[1]
        end_y = y + x_high - x_low
        stop = end_y > y_high ? 10 ^ (x_low + y_high - y) : sizes[n_sizes]
        if (start < stop) {
            printf "<path d=\"M%.1f %.1fL%.1f %.1f\"/>\n", x_at(start),
                y_at(10 ^ (y + log10(start) - x_low)), x_at(stop), y_at(10 ^ (y + log10(stop) - x_low))
        }
    }
    print "</g>"
    for (s = 1; s <= n_stages; s++) {
        path = ""; last = 0
        for (i = 1; i <= n_sizes; i++) {
            if ((sizes[i], stages[s]) in seconds) {
                path = path sprintf("%s%.1f %.1f", path == "" ? "M" : "L", x_at(sizes[i]),
                    y_at(seconds[sizes[i], stages[s]]))
                last = i
            }
        }
        printf "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"%s\"/>\n", path,
            colour_of(s), stages[s] == "total" ? 3 : 1.5
        ends[s] = y_at(seconds[sizes[last], stages[s]])
    }
    # labels from the top, none above another
    floor = top
    for (k = 1; k <= n_stages; k++) {
        best = 0
        for (s = 1; s <= n_stages; s++) {
            if (!(s in labelled) && (best == 0 || ends[s] < ends[best])) { best = s }
        }
        labelled[best] = 1
        at = ends[best] < floor ? floor : ends[best]
        floor = at + 14
        printf "<text x=\"%d\" y=\"%.1f\" fill=\"%s\">%s</text>\n", left + width + 8, at + 4,
            colour_of(best), stages[best]
    }
    print "</svg>"
}
