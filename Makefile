# nightjar: `make` builds, `make demo` shows, `make test` proves. VARIANT=release|debug|asan|tsan.
# MPI=1 links for several ranks, into a folder of its own, with the library that pkg-config calls
# mpi; MPI=ompi or MPI=mpich with that one. What is compiled is the same but for one file.
VARIANT ?= release
MPI ?=
MPI_PACKAGE := $(if $(filter 1,$(MPI)),mpi,$(MPI))
CC ?= gcc
PKG_CONFIG ?= pkg-config
BUILD := build/$(VARIANT)
LINKED := $(BUILD)$(if $(MPI),-$(MPI_PACKAGE))

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes \
            -Wmissing-prototypes -Wwrite-strings -Wundef -Wvla -Wformat=2 -Werror \
            -Wno-enum-float-conversion # of clang 19: our constants are enumerators
OPTIMISE_release := -O2 -DNDEBUG -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
OPTIMISE_debug := -O0
OPTIMISE_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g1
OPTIMISE_tsan := -O1 -fsanitize=thread -fno-omit-frame-pointer -g1
CFLAGS := -std=c11 -ffp-contract=off -D_POSIX_C_SOURCE=200809L -g -ffile-prefix-map='$(CURDIR)'=. \
          -fPIE -fstack-protector-strong $(WARNINGS) $(OPTIMISE_$(VARIANT))
LIBRARIES := sqlite3 openblas yaml-0.1 libcjson libxxhash nettle zlib
CPPFLAGS := -Ipipeline -I. $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(LIBRARIES))) -MMD -MP
LDFLAGS := -pie -Wl,-z,relro,-z,now
STRIP_release := -s
LDLIBS := $(shell $(PKG_CONFIG) --libs $(LIBRARIES) $(MPI_PACKAGE)) -lcsv -lpthread -lm # libcsv has no .pc file

# the one file that knows how ranks talk
WIRE := $(LINKED)/pipeline/ranks/wire_$(if $(MPI),mpi,none).o
SOURCES := $(filter-out pipeline/main.c pipeline/extension/% pipeline/ranks/wire_%,$(wildcard pipeline/*/*.c))
STAGE_SOURCES := $(sort $(wildcard stages/*.c stages/*/*.c))
STAGES := $(basename $(notdir $(sort $(wildcard stages/*.c))))
# the *_kernels.c of math are compiled once per instruction set and never by themselves
KERNELS := pipeline/math/vec_kernels.c pipeline/math/product_kernels.c
MACHINE := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
ISAS_x86_64 := avx2 avx512
ISAS_aarch64 := neon
ISAS := portable $(ISAS_$(MACHINE))
ISA_avx2 := -mavx2 -mfma
ISA_avx512 := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512
ISA_neon := -DLANES_NEON
KERNEL_OBJECTS := $(foreach isa,$(ISAS),$(KERNELS:%.c=$(BUILD)/%_$(isa).o))
OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(KERNELS),$(SOURCES)) \
           $(STAGE_SOURCES)) \
           $(KERNEL_OBJECTS) \
           $(BUILD)/generated/stage_registry.o $(BUILD)/generated/embedded_sql.o \
           $(BUILD)/generated/help_topics.o
LIBRARY := $(BUILD)/libnightjar.a
PROGRAM := $(LINKED)/nightjar
TESTS := $(patsubst tests/%.c,$(LINKED)/tests/%,$(wildcard tests/unit/test_*.c tests/stage/test_*.c))
BENCHES := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/bench/bench_*.c))
SUPPORT_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
SUPPORT := $(BUILD)/libsupport.a

.PHONY: all demo check test soak one cross lint layers format format-check bench bench-scale bench-night bench-threads bench-quality bench-search bench-sequence bench-views bench-ranks bench-extension docs install deb clean tests
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAM) $(BUILD)/nightjar.so

$(PROGRAM): $(BUILD)/pipeline/main.o $(WIRE) $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) $(STRIP_$(VARIANT)) -o $@ $^ $(LDLIBS)

$(LIBRARY): $(OBJECTS)
	@rm -f $@
	@echo "  AR $@"
	@$(AR) rcs $@ $^

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC $@"
	@$(CC) $(CFLAGS) $(CPPFLAGS) -c -o $@ $<

$(LINKED)/pipeline/ranks/wire_mpi.o: pipeline/ranks/wire_mpi.c Makefile
	@mkdir -p $(@D)
	@echo "  CC $@"
	@$(CC) $(CFLAGS) $(CPPFLAGS) $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(MPI_PACKAGE))) -c -o $@ $<

define kernel_rule
$(KERNELS:%.c=$(BUILD)/%_$(1).o): $(BUILD)/%_$(1).o: %.c Makefile
	@mkdir -p $$(@D)
	@echo "  CC $$@"
	@$$(CC) $$(CFLAGS) -O3 -fno-math-errno -fno-trapping-math $$(ISA_$(1)) $$(CPPFLAGS) -DVEC_ISA=$(1) -c -o $$@ $$<
endef
$(foreach isa,$(ISAS),$(eval $(call kernel_rule,$(isa))))

# what SQLite loads: position-independent, of the kernels no more than it needs, and one name to see
EXTENSION := $(BUILD)/nightjar.so
EXTENSION_SOURCES := $(wildcard pipeline/extension/*.c) \
                     $(addprefix pipeline/,math/vec.c math/vec_unit.c math/topk.c math/sparse.c math/index_set.c \
                       pairs/evidence.c ranking/score.c base/mem.c base/num.c base/status.c)
EXTENSION_OBJECTS := $(EXTENSION_SOURCES:%.c=$(BUILD)/shared/%.o) \
                     $(foreach isa,$(ISAS),$(KERNELS:%.c=$(BUILD)/shared/%_$(isa).o))
SHARED_FLAGS := $(filter-out -fPIE,$(CFLAGS)) -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections

$(EXTENSION): $(EXTENSION_OBJECTS)
	@echo "  LD $@"
	@$(CC) $(SHARED_FLAGS) -shared -Wl,-z,relro,-z,now -Wl,--no-undefined,--gc-sections $(STRIP_$(VARIANT)) -o $@ $^ -lm

$(BUILD)/shared/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC $@"
	@$(CC) $(SHARED_FLAGS) $(CPPFLAGS) -c -o $@ $<

define shared_kernel_rule
$(KERNELS:%.c=$(BUILD)/shared/%_$(1).o): $(BUILD)/shared/%_$(1).o: %.c Makefile
	@mkdir -p $$(@D)
	@echo "  CC $$@"
	@$$(CC) $$(SHARED_FLAGS) -O3 -fno-math-errno -fno-trapping-math $$(ISA_$(1)) $$(CPPFLAGS) -DVEC_ISA=$(1) -c -o $$@ $$<
endef
$(foreach isa,$(ISAS),$(eval $(call shared_kernel_rule,$(isa))))

# the list of stages: adding a stage is adding one file
$(BUILD)/generated/stage_registry.c: $(wildcard stages/*.c) Makefile
	@mkdir -p $(@D)
	@{ echo '#include "config/stage_registry.h"'; \
	   for s in $(STAGES); do echo "extern const struct stage stage_$$s;"; done; \
	   echo 'static const struct stage *const stages[] = {'; \
	   for s in $(STAGES); do echo "    &stage_$$s,"; done; \
	   echo '    NULL};'; \
	   echo 'const struct stage_registry stage_registry = {stages};'; } > $@

# the numbered SQL files, as text
$(BUILD)/generated/embedded_sql.c: $(sort $(wildcard schemas/*.sql)) Makefile
	@mkdir -p $(@D)
	@{ echo '#include "store/embedded_sql.h"'; \
	   echo 'const struct embedded_sql embedded_sql[] = {'; \
	   for f in $(sort $(wildcard schemas/*.sql)); do \
	     printf '    {"%s",\n' "$$(basename $$f .sql)"; \
	     sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/     "/' -e 's/$$/\\n"/' $$f; \
	     echo '    },'; done; \
	   echo '    {NULL, NULL}};'; } > $@

# the pages of `nightjar help TOPIC`, line by line: adding a page is adding one file
TOPICS := $(sort $(wildcard pipeline/commands/topics/*.md))
$(BUILD)/generated/help_topics.c: $(TOPICS) Makefile
	@mkdir -p $(@D)
	@{ echo '#include "commands/help_topics.h"'; \
	   for f in $(TOPICS); do \
	     echo "static const char *const page_$$(basename $$f .md | tr - _)[] = {"; \
	     sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/    "&",/' $$f; \
	     echo '    NULL};'; done; \
	   echo 'const struct help_topic help_topics[] = {'; \
	   for f in $(basename $(notdir $(TOPICS))); do \
	     echo "    {\"$$f\", page_$$(echo $$f | tr - _)},"; done; \
	   echo '    {NULL, NULL}};'; } > $@

$(BUILD)/generated/%.o: $(BUILD)/generated/%.c
	@echo "  CC $@"
	@$(CC) $(CFLAGS) $(CPPFLAGS) -c -o $@ $<

tests: $(TESTS) $(BENCHES) $(PROGRAM) $(EXTENSION)

# an archive: a test links what it uses of it, and no more
$(SUPPORT): $(SUPPORT_OBJECTS)
	@rm -f $@
	@$(AR) rcs $@ $^

$(LINKED)/tests/%: $(BUILD)/tests/%.o $(SUPPORT) $(WIRE) $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs cmocka) $(LDLIBS)

check test soak:
	@MAKE="$(MAKE)" perl tests/run.pl $@

# the build for 64-bit ARM, under an emulator
cross:
	@sh tests/platform/cross.sh

# one test alone: TEST is test_loss, fault/nights.sh, or cases of the command line
TEST_PROGRAM := $(filter %/$(TEST),$(TESTS))
one: $(or $(TEST_PROGRAM),$(PROGRAM) $(EXTENSION))
	@$(or $(TEST_PROGRAM),BUILD=$(BUILD) sh $(or $(patsubst %.sh,tests/%.sh,$(filter %.sh,$(TEST))),tests/cli/run.sh $(TEST)))

demo: all
	@PROGRAM=$(PROGRAM) sh tests/support/demo.sh

# which says itself by which kernels it goes
$(BUILD)/tests/unit/test_sequence: LDFLAGS += -Wl,--wrap=vec_ops

# the program with plain loops in place of OpenBLAS and the vector kernels: symbols in front of the
# libraries win
$(BUILD)/nightjar_plain: $(BUILD)/pipeline/main.o $(BUILD)/tests/bench/plain_kernels.o $(WIRE) $(LIBRARY)
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

bench: all $(BENCHES) $(BUILD)/nightjar_plain
	@BUILD=$(BUILD) sh tests/bench/run.sh

# time and memory of the whole run at growing sizes, with the fitted exponents: minutes
bench-scale: all $(BENCHES)
	@BUILD=$(BUILD) sh tests/bench/scale.sh

# a night with one day's events more beside a full one: minutes
bench-night: all
	@BUILD=$(BUILD) sh tests/bench/night.sh

# what two threads are worth: minutes
bench-threads: all
	@BUILD=$(BUILD) sh tests/bench/threads.sh

# quality against CPU seconds beside PyTorch, of the towers and of sequences, and what each view of
# train.views is worth: minutes
bench-quality: all
	@BUILD=$(BUILD) sh tests/bench/quality.sh
bench-sequence: all
	@BUILD=$(BUILD) sh tests/bench/sequence.sh
bench-search: all
	@PROGRAM=$(PROGRAM) python3 tests/bench/search_peers.py
bench-views: all
	@PROGRAM=$(PROGRAM) sh tests/bench/views.sh

# one run by several ranks, and its network: minutes
bench-ranks: all
	@$(MAKE) --no-print-directory MPI=1 $(BUILD)-mpi/nightjar
	@BUILD=$(BUILD) sh tests/bench/ranks.sh

# lookups of nightjar.so beside sqlite-vec and the published lists
bench-extension: all
	@BUILD=$(BUILD) sh tests/bench/extension.sh

# schemas/pipeline.schema.json and schemas/stages.md out of the option tables
docs: all
	$(PROGRAM) describe --schema > schemas/pipeline.schema.json
	$(PROGRAM) describe --markdown > schemas/stages.md

FORMATTED := $(wildcard pipeline/*.[ch] pipeline/*/*.[ch] stages/*.[ch] stages/*/*.[ch] tests/*/*.[ch])
format:
	clang-format -i $(FORMATTED)
format-check:
	@clang-format --dry-run --Werror $(FORMATTED)
layers:
	@sh tests/support/layers.sh
lint:
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	  --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
	  --error-exitcode=1 -Ipipeline -I. pipeline stages

# `make install PREFIX=/usr DESTDIR=...`; `make deb` leaves build/nightjar_VERSION_ARCH.deb.
# The README's links lead to the pages where they stand then.
PREFIX ?= /usr/local
INSTALLED := $(DESTDIR)$(PREFIX)
PAGES := $(INSTALLED)/share/doc/nightjar
install: all
	install -D -m 755 $(PROGRAM) $(INSTALLED)/bin/nightjar
	install -D -m 644 $(EXTENSION) $(INSTALLED)/lib/nightjar/nightjar.so
	install -d $(INSTALLED)/share/man/man1 $(INSTALLED)/share/bash-completion/completions \
	  $(INSTALLED)/share/zsh/vendor-completions $(INSTALLED)/lib/systemd/system \
	  $(addprefix $(PAGES)/,examples topics schemas bench)
	$(PROGRAM) help --man > $(INSTALLED)/share/man/man1/nightjar.1
	$(PROGRAM) help --bash > $(INSTALLED)/share/bash-completion/completions/nightjar
	$(PROGRAM) help --zsh > $(INSTALLED)/share/zsh/vendor-completions/_nightjar
	sed 's,(pipeline/commands/,(,; s,(tests/,(,; s,(configs/,(examples/,' README.md > $(PAGES)/README.md
	install -m 644 CONTRIBUTING.md LICENSE $(PAGES)
	install -m 644 configs/*.yaml configs/grafana.json $(PAGES)/examples
	sed 's,/usr/local/bin/,$(PREFIX)/bin/,' configs/crontab.example > $(PAGES)/examples/crontab.example
	install -m 644 pipeline/commands/topics/* $(PAGES)/topics
	install -m 644 schemas/stages.md schemas/pipeline.schema.json $(PAGES)/schemas
	install -m 644 tests/bench/README.md tests/bench/growth.svg tests/bench/sequence.svg $(PAGES)/bench
	install -m 644 configs/nightjar.timer $(INSTALLED)/lib/systemd/system
	sed 's,/usr/bin/,$(PREFIX)/bin/,' configs/nightjar.service > $(INSTALLED)/lib/systemd/system/nightjar.service

deb: all
	@PROGRAM=$(PROGRAM) MAKE="$(MAKE)" sh tests/support/deb.sh build

clean:
	rm -rf build

-include $(wildcard $(OBJECTS:.o=.d) $(EXTENSION_OBJECTS:.o=.d) $(BUILD)/pipeline/main.d $(WIRE:.o=.d) $(TESTS:$(LINKED)/%=$(BUILD)/%.d) $(BENCHES:=.d) $(SUPPORT_OBJECTS:.o=.d))
