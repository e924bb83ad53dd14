/* Names in words, and lists of words. */
#include "discovery/column_words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char id_words[] = "id uuid guid key no nr num number code ref hash fk pk";
static const char label_words[] = "email mail name login handle";

static const char people[] =
    "user customer client member account visitor person people reader listener viewer student "
    "learner pupil player gamer buyer shopper patron subscriber guest borrower voter profile "
    "consumer contact participant attendee donor patient passenger username userid uid kunde "
    "benutzer nutzer mitglied usuario cliente utilisateur";
/* who may have done it, but may have been somebody else: a seller, an author of what is read */
static const char people_weakly[] =
    "author owner creator poster reviewer rater sender session device by actor browser cookie";
static const char items[] =
    "item product article movie film book track song video course lesson recipe post story photo "
    "picture image game show episode listing sku asin isbn document venue poi hotel restaurant "
    "thread topic podcast app job title news playlist property place station attraction meal dish "
    "food wine beer drink goods offer content paper repository repo question anime comic manga "
    "material exercise module tutorial webinar clip station produkt artikel produit producto "
    "iid itemid articulo livre buch";
/* what is recommended where nothing better is there */
static const char items_weakly[] = "artist album page url channel event category brand author tag "
                                   "forum board followee genre merchant";
static const char bare_items[] = "item product article movie film book track song video course "
                                 "sku isbn asin iid itemid recipe game produkt artikel";
static const char no_items[] =
    "branch bank currency country city region state category tag role permission department "
    "status type address payment method shipper supplier employee staff warehouse company team "
    "group manager coupon device language account card loan merchant payee invoice order store "
    "shop location session plan teacher instructor";
static const char stand_ins[] = "inventory variant copy copie edition stock sku offer instance";

static const char times[] = "timestamp ts time date datetime when at utc epoch stamp day";
static const char happened[] =
    "created occurred happened ordered purchased clicked viewed played rated watched borrowed "
    "listened read added placed started visited logged inserted sold seen liked voted";
static const char of_acts[] = "event order purchase invoice rental loan click view play listen "
                              "transaction sale visit review rating";
static const char hardly[] = "updated modified changed last shipped delivered end ended ending "
                             "finished completed published publish start paid";
static const char never[] = "deleted due expire expires expiry expiration return returned required "
                            "birth birthday dob valid until release released deadline zone";

static bool is_upper(char c)
{
    return isupper((unsigned char)c) != 0;
}

bool words_same(const char *a, const char *b)
{
    const size_t la = strlen(a), lb = strlen(b);
    const char *longer = la >= lb ? a : b, *shorter = la >= lb ? b : a;
    const size_t n = la >= lb ? lb : la, more = (la >= lb ? la : lb) - n;
    if (more == 0) {
        return strcmp(a, b) == 0;
    }
    if (strncmp(longer, shorter, n) == 0) {
        return strcmp(longer + n, "s") == 0 || strcmp(longer + n, "es") == 0;
    }
    return n > 1 && more == 2 && strncmp(longer, shorter, n - 1) == 0 && shorter[n - 1] == 'y' &&
           strcmp(longer + n - 1, "ies") == 0;
}

bool word_in(const char *word, const char *list)
{
    while (*list != '\0') {
        char entry[WORD_MAX] = "";
        const size_t length = strcspn(list, " ");
        if (length < sizeof entry) {
            memcpy(entry, list, length);
        }
        if (word[0] != '\0' && words_same(word, entry)) {
            return true;
        }
        list += length + strspn(list + length, " ");
    }
    return false;
}

static void add_word(struct words *words, const char *text, size_t length)
{
    if (length == 0 || words->n == WORDS_MAX) {
        return;
    }
    char *word = words->text[words->n++];
    for (size_t i = 0; i < length && i + 1 < WORD_MAX; i++) {
        word[i] = (char)tolower((unsigned char)text[i]);
    }
}

/* "movieid" is movie and id. */
static void split_id(struct words *words)
{
    char *word = words->text[words->n - 1];
    const size_t length = strlen(word);
    if (length < 5 || strcmp(word + length - 2, "id") != 0 || words->n == WORDS_MAX) {
        return;
    }
    word[length - 2] = '\0';
    if (word_in(word, people) || word_in(word, items) || word_in(word, items_weakly) ||
        word_in(word, no_items)) {
        add_word(words, "id", 2);
    } else {
        word[length - 2] = 'i';
    }
}

void words_split(const char *name, struct words *words)
{
    const size_t length = strlen(name);
    size_t begin = 0;
    memset(words, 0, sizeof *words);
    for (size_t i = 0; i <= length; i++) {
        const bool is_letter = i < length && (isalnum((unsigned char)name[i]) || name[i] & 0x80);
        /* userID: before I; HTMLPage: before P */
        const bool hump = is_letter && i > begin && is_upper(name[i]) &&
                          (!is_upper(name[i - 1]) ||
                           (i + 1 < length && islower((unsigned char)name[i + 1]) != 0));
        if (!is_letter || hump) {
            add_word(words, name + begin, i - begin);
            begin = hump ? i : i + 1;
        }
    }
    if (words->n > 0) {
        split_id(words);
    }
    words->noun = words->n > 0 ? words->n - 1 : 0;
    if (words->n > 0) {
        const char *last = words->text[words->n - 1];
        words->is_label = word_in(last, label_words);
        words->is_id = words->is_label || word_in(last, id_words);
        words->noun = !words->is_id ? words->n - 1 : words->n > 1 ? words->n - 2 : words->n;
    }
}

const char *words_noun(const struct words *words)
{
    return words->noun < words->n ? words->text[words->noun] : "";
}

static bool any_in(const struct words *words, const char *list)
{
    for (size_t i = 0; i < words->n; i++) {
        if (word_in(words->text[i], list)) {
            return true;
        }
    }
    return false;
}

int words_user(const struct words *words)
{
    const char *noun = words_noun(words);
    if (word_in(noun, people)) {
        return words->is_label ? 2 : words->is_id || words->n == 1 ? 3 : 1;
    }
    return word_in(noun, people_weakly) && (words->is_id || words->n > 1) ? 1 : 0;
}

int words_item(const struct words *words)
{
    const char *noun = words_noun(words);
    if (word_in(noun, items)) {
        return words->is_label                              ? 1
               : words->is_id                               ? 3
               : word_in(noun, bare_items) && words->n == 1 ? 2
                                                            : 0;
    }
    return word_in(noun, items_weakly) && words->is_id && !words->is_label ? 1 : 0;
}

bool words_are_people(const struct words *words)
{
    return word_in(words_noun(words), people);
}

bool words_are_items(const struct words *words)
{
    return word_in(words_noun(words), items);
}

bool words_are_no_items(const struct words *words)
{
    return word_in(words_noun(words), no_items);
}

bool words_stand_for_item(const struct words *words)
{
    return word_in(words_noun(words), stand_ins);
}

/* The words of a time without what it is counted in: liked_ms, added_on. */
static size_t words_before_unit(const struct words *words)
{
    size_t n = words->n;
    while (n > 1 && word_in(words->text[n - 1], "ms msec millis millisecond unix on")) {
        n--;
    }
    return n;
}

int words_time(const struct words *words)
{
    const size_t n = words_before_unit(words);
    const char *last = n > 0 ? words->text[n - 1] : "";
    const int most = n < words->n ? 2 : 3; /* played_ms may be how long */
    if (any_in(words, never)) {
        return -1;
    }
    if (n == 1 && (word_in(last, happened) || word_in(last, hardly))) {
        return word_in(last, happened) ? most : 1;
    }
    if (!word_in(last, times) || any_in(words, hardly)) {
        return word_in(last, times) ? 1 : 0;
    }
    return n == 1 || any_in(words, happened) || any_in(words, of_acts) ? most : 2;
}

int words_event(const struct words *words)
{
    static const char strong[] = "event action verb interaction behavior behaviour activity";
    const char *last = words->n > 0 ? words->text[words->n - 1] : "";
    if (word_in(last, "type kind name") && words->n > 1) {
        return word_in(words->text[words->n - 2], strong) ? 3 : 0;
    }
    return words->n == 1 && word_in(last, strong)        ? 2
           : words->n == 1 && word_in(last, "type kind") ? 2
                                                         : 0;
}

int words_rating(const struct words *words)
{
    const char *last = words->n > 0 ? words->text[words->n - 1] : "";
    return word_in(last, "rating star") ? 3 : word_in(last, "score vote grade") ? 2 : 0;
}

int words_count(const struct words *words)
{
    const char *last = words->n > 0 ? words->text[words->n - 1] : "";
    if (word_in(last, "plays listens playcount playcounts scrobbles times frequency visits")) {
        return strcmp(last, "time") == 0 || strcmp(last, "play") == 0 ? 0 : 2;
    }
    return word_in(last, "count") && words->n > 1 &&
                   word_in(words->text[words->n - 2], "play listen view visit watch click")
               ? 2
               : 0;
}

bool words_quantity(const struct words *words)
{
    const char *last = words->n > 0 ? words->text[words->n - 1] : "";
    return word_in(last, "quantity qty units pieces");
}

int words_title(const struct words *words)
{
    const char *last = words->n > 0 ? words->text[words->n - 1] : "";
    if (word_in(last, "title name headline label subject caption")) {
        return any_in(words, "first last user file short original alternative sub artist author "
                             "brand company country")
                   ? 1
               : word_in(last, "title name headline") ? 3
                                                      : 2;
    }
    return 0;
}

int words_category(const struct words *words)
{
    const char *noun = words_noun(words);
    return word_in(noun, "category categorie genre department section subject topic") ? 3
           : word_in(noun, "type kind brand group artist album class forum style cuisine channel "
                           "collection board")
               ? 2
           : word_in(noun, "language format media") ? 1
                                                    : 0;
}

bool words_are_side_data(const struct words *words, bool of_items)
{
    const char *noun = words_noun(words);
    return !words->is_id &&
           (word_in(noun, "embedding vector") ||
            (of_items ? words_category(words) > 1 ||
                            word_in(noun, "price brand author artist publisher manufacturer maker "
                                          "language year color colour size material country rating "
                                          "difficulty level duration")
                      : word_in(noun, "country region city language locale segment plan tier")));
}

/* What one word of a name says of availability; of several ("sold out") those behind are passed. */
static int word_availability(const struct words *words, size_t *at)
{
    const char *word = words->text[*at];
    if (strcmp(word, "sold") == 0 && *at + 1 < words->n &&
        strcmp(words->text[*at + 1], "out") == 0) {
        (*at)++;
        return -3;
    }
    return word_in(word, "stock instock available availability orderable inventory")         ? 3
           : word_in(word, "active enabled")                                                 ? 2
           : word_in(word, "soldout outofstock unavailable")                                 ? -3
           : word_in(word, "discontinued deleted archived removed hidden disabled inactive") ? -2
                                                                                             : 0;
}

/* A word that none of the lists has may turn the sense round: stock_alert_level, last_active. */
int words_availability(const struct words *words)
{
    int says = 0, n_not = 0;
    bool counts = false;
    for (size_t w = 0; w < words->n; w++) {
        const char *word = words->text[w], *next = w + 1 < words->n ? words->text[w + 1] : "";
        const int here = word_availability(words, &w);
        if (here != 0) {
            if (here * says < 0) {
                return 0;
            }
            says = abs(here) > abs(says) ? here : says;
        } else if (word_in(word, "not no non un") ||
                   (strcmp(word, "out") == 0 && strcmp(next, "of") == 0)) {
            n_not++;
        } else if (word_in(word, "quantity qty count level unit")) {
            counts = true;
        } else if (!word_in(word, "is of currently longer") &&
                   !(strcmp(word, "in") == 0 && word_in(next, "stock inventory"))) {
            return 0;
        }
    }
    /* how often it was out of stock is not whether it is */
    if (words->is_id || n_not > 1 || (counts && (n_not > 0 || says < 0))) {
        return 0;
    }
    return says == 0 ? words->n == 1 && words_quantity(words) : n_not > 0 ? -says : says;
}

/* ---- events ---- */

static const struct {
    const char *event, *words;
} event_names[] = {
    {"purchase", "order purchase sale invoice buy bought checkout sold line detail transaction "
                 "receipt bestellung"},
    {"cart", "cart basket"},
    {"like", "like favorite favourite bookmark wishlist wish star upvote fav save saved"},
    {"rating", "rating review vote score"},
    {"play", "play listen listening stream watch watched scrobble playback viewing history"},
    {"loan", "loan borrow rental rent lending"},
    {"enrolment", "enrolment enrollment enroll enrol registration"},
    {"completion", "completion completed progress attempt"},
    {"comment", "comment reply replies answer message post"},
    {"download", "download install"},
    {"follow", "follow subscription subscribe"},
    {"checkin", "checkin"},
    {"booking", "booking reservation"},
    {"view", "view visit click pageview impression hit read reading seen log event session"},
};

const char *words_event_name(const struct words *words)
{
    for (size_t w = words->n; w > 0; w--) { /* the last word says most: order_views */
        for (size_t e = 0; e < sizeof event_names / sizeof *event_names; e++) {
            if (word_in(words->text[w - 1], event_names[e].words)) {
                return event_names[e].event;
            }
        }
    }
    return "";
}

/* One of the words of the event. */
static bool event_has(const char *event, const char *list)
{
    struct words words;
    words_split(event, &words);
    return any_in(&words, list);
}

bool word_is_dislike(const char *event)
{
    return event_has(event, "dislike hide hidden downvote block blocked report reported thumbsdown "
                            "spam mute down uninterested");
}

bool word_is_no_choice(const char *event)
{
    return event_has(event, "impression shown exposure return returned refund cancel canceled "
                            "cancelled remove removed delete unlike unfavorite unfavourite unsave "
                            "unfollow unsubscribe skip skipped search login logout signup error "
                            "bounce register expired abandon abandoned heartbeat");
}
