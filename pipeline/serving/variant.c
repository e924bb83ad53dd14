/* XXH3 over "NAME", a zero byte and the id as text; its upper 53 bits are the place. */
#include "serving/variant.h"

#include "base/buf.h"
#include "base/hash.h"

enum status_code variant_place(const char *of, const struct row_id *user, double *place,
                               struct status *status)
{
    struct buf text = {0};
    enum status_code code;
    buf_add(&text, of, strlen(of) + 1);
    if (user->is_text) {
        buf_add(&text, user->text, user->length);
    } else {
        buf_addf(&text, "%lld", (long long)user->integer);
    }
    TRY(buf_check(&text, status));
    *place = (double)(hash_bytes64(text.data, text.length) >> 11) * 0x1p-53;
done:
    buf_release(&text);
    return code;
}

bool variant_serves(const struct plan_variant *variant, double place)
{
    /* shares such as 0.1 and 0.2 add up to a little more or less than the next one's `from` */
    const double rounding = 1e-12;
    return place >= variant->from - rounding && place < variant->from + variant->share - rounding;
}
