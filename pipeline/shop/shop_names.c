/* Words for titles. Every noun belongs to one topic and every adjective to one style: a title tells
 * a reader, and a model that reads words, what the item is like. */
#include "shop/shop_names.h"

#include <stdio.h>

const struct shop_topic shop_topics[SHOP_TOPICS] = {
    {"coffee",
     24,
     {"Espresso Beans", "Moka Pot", "Pour-Over Set", "Burr Grinder", "Milk Frother", "Travel Mug"}},
    {"running",
     75,
     {"Running Shoes", "Windbreaker", "Running Tights", "Hydration Vest", "Race Belt", "Headband"}},
    {"kitchen",
     38,
     {"Frying Pan", "Chef's Knife", "Cutting Board", "Stock Pot", "Mixing Bowl", "Baking Tin"}},
    {"audio",
     110,
     {"Headphones", "Bookshelf Speaker", "Turntable", "Earbuds", "Amplifier", "Radio"}},
    {"garden",
     29,
     {"Pruning Shears", "Watering Can", "Planter", "Garden Fork", "Bird Feeder", "Seed Tray"}},
    {"books",
     18,
     {"Crime Novel", "Atlas", "Cookbook", "Short Stories", "Biography", "Field Guide"}},
    {"camping", 85, {"Tent", "Sleeping Bag", "Camp Stove", "Headlamp", "Hammock", "Cool Box"}},
    {"bicycle",
     62,
     {"Pannier", "Bike Helmet", "Saddle", "Bike Light", "Floor Pump", "Handlebar Bag"}},
    {"office",
     45,
     {"Desk Lamp", "Notebook", "Fountain Pen", "Monitor Stand", "Desk Mat", "Letter Tray"}},
    {"toys",
     27,
     {"Building Blocks", "Marble Run", "Puppet", "Train Set", "Spinning Top", "Play Tent"}},
    {"bath",
     22,
     {"Bath Towel", "Soap Dish", "Shower Curtain", "Bathrobe", "Hand Soap", "Bath Mat"}},
    {"lighting",
     58,
     {"Pendant Lamp", "Floor Lamp", "Wall Light", "String Lights", "Lantern", "Reading Light"}},
    {"yoga",
     34,
     {"Yoga Mat", "Yoga Block", "Meditation Cushion", "Yoga Strap", "Bolster", "Massage Ball"}},
    {"photography",
     140,
     {"Camera Strap", "Tripod", "Lens Pouch", "Photo Album", "Picture Frame", "Light Meter"}},
    {"tea", 19, {"Teapot", "Green Tea", "Tea Strainer", "Tea Caddy", "Kettle", "Teacup"}},
    {"fishing", 54, {"Fishing Rod", "Tackle Box", "Landing Net", "Lure Set", "Waders", "Reel"}},
    {"sewing",
     31,
     {"Fabric Scissors", "Sewing Box", "Thread Set", "Quilt Kit", "Pin Cushion", "Dress Pattern"}},
    {"pets",
     26,
     {"Dog Lead", "Cat Tree", "Feeding Bowl", "Dog Bed", "Scratching Post", "Chew Toy"}},
    {"music",
     95,
     {"Ukulele", "Music Stand", "Hand Drum", "Guitar Strap", "Harmonica", "Metronome"}},
    {"bedding",
     66,
     {"Duvet Cover", "Pillow", "Bed Throw", "Fitted Sheet", "Blanket", "Bolster Case"}},
    {"drawing",
     23,
     {"Sketchbook", "Pencil Set", "Watercolours", "Easel", "Brush Roll", "Ink Bottle"}},
    {"climbing",
     88,
     {"Climbing Harness", "Chalk Bag", "Climbing Shoes", "Rope", "Belay Device", "Carabiner Set"}},
    {"board games",
     36,
     {"Strategy Game", "Card Game", "Chess Set", "Puzzle", "Dice Game", "Domino Set"}},
    {"workshop",
     72,
     {"Hand Plane", "Screwdriver Set", "Tool Chest", "Work Apron", "Bench Vice", "Chisel Set"}},
};

const struct shop_country shop_countries[SHOP_COUNTRIES] = {
    {"DE", 0.27}, {"FR", 0.19}, {"GB", 0.15}, {"NL", 0.11},
    {"ES", 0.10}, {"PL", 0.08}, {"SE", 0.06}, {"PT", 0.04},
};

static const char *const adjectives[SHOP_STYLES][SHOP_STYLE_ADJECTIVES] = {
    {"Classic", "Heritage", "Vintage", "Traditional", "Old Town", "Timeless", "Antique", "Retro"},
    {"Minimal", "Nordic", "Plain", "Quiet", "Slim", "Pure", "Simple", "Essential"},
    {"Rugged", "Alpine", "Field", "Expedition", "Sturdy", "Trail", "Storm", "Harbour"},
    {"Playful", "Sunny", "Bright", "Happy", "Confetti", "Carnival", "Pop", "Jolly"},
    {"Natural", "Woodland", "Meadow", "Organic", "Earthy", "Moss", "Orchard", "River"},
    {"Elegant", "Velvet", "Opera", "Grand", "Royal", "Moonlight", "Salon", "Noble"},
};

static const char *const finishes[SHOP_FINISHES] = {
    "Black", "Oak",    "Copper", "Navy",   "Cream", "Olive",  "Slate", "Crimson",
    "Sand",  "Walnut", "Silver", "Indigo", "Ivory", "Cherry", "Teal",  "Amber"};

void shop_title(size_t topic, size_t style, uint64_t ordinal, char *out, size_t capacity)
{
    const uint64_t plain = (uint64_t)SHOP_TOPIC_NOUNS * SHOP_STYLE_ADJECTIVES * SHOP_FINISHES;
    /* 331 has no factor in common with 768: neighbours look different, and none comes twice */
    uint64_t k = (ordinal % plain * 331 + (topic * 7 + style) * 97) % plain;
    const char *noun = shop_topics[topic].nouns[k % SHOP_TOPIC_NOUNS];
    const char *adjective = adjectives[style][k / SHOP_TOPIC_NOUNS % SHOP_STYLE_ADJECTIVES];
    const char *finish = finishes[k / SHOP_TOPIC_NOUNS / SHOP_STYLE_ADJECTIVES];
    unsigned long long model = ordinal / plain + 1;
    if (model == 1) {
        (void)snprintf(out, capacity, "%s %s %s", adjective, finish, noun);
    } else {
        (void)snprintf(out, capacity, "%s %s %s No. %llu", adjective, finish, noun, model);
    }
}
