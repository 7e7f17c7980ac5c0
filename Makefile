# SPDX-License-Identifier: GPL-2.0-only
#
# make            the host tools, build/xftrace
# make demo       set up, build, start a demo guest, trace it, show the graph
# make check      set up, build, run every test
# make guest KDIR=/lib/modules/$(uname -r)/build
#                 the guest module for one kernel
# make install DESTDIR= PREFIX=/usr/local
#
# make fuzz       fuzz targets, FUZZ_RUNS=3000000 executions or FUZZ_SECONDS=60
#                 of each, all or FUZZ_TARGETS='ring gva', and a table of it
#
# make coverage   lines of the parsers that unit tests and fuzz seeds run
#
# O=dir puts the output elsewhere, ASAN=1 adds ASan and UBSan, V=1 shows the
# commands. CLANG=clang-NN is what fuzz targets are compiled with.

O	?= build
PREFIX	?= /usr/local
CC	?= gcc
CLANG	?= clang
VERSION	:= $(shell cat VERSION)

ifeq ($(V),1)
Q	:=
say	= @:
else
Q	:= @
say	= @printf '  %-7s %s\n'
MAKEFLAGS += --no-print-directory
endif

PKGS	:= jansson libseccomp libsodium libtraceevent libtracefs libelf libpmem libzstd zlib liblzma
# What sanitizers add takes long to optimize, and is compiled to be run once; gcc
# does not see then which numbers are small.
CFLAGS	?= $(if $(ASAN)$(FUZZ),-O1 -g1,-O2 -g)
WARN	:= -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes \
	   -Wmissing-prototypes -Wvla -Wno-unused-parameter
comma	:= ,
SAN	:= $(if $(ASAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer \
	   -Wno-format-truncation)
ifdef FUZZ
CC	:= $(CLANG)
SAN	:= -fsanitize=fuzzer-no-link,address,undefined \
	   -fno-sanitize-recover=undefined -fno-omit-frame-pointer \
	   -D__SANITIZE_ADDRESS__=1 -DNAMES_SLOTS=64 \
	   $(if $(COVERAGE),-fprofile-instr-generate -fcoverage-mapping)
endif
XCFLAGS	= -std=gnu11 -D_GNU_SOURCE $(WARN) $(SAN) $(CFLAGS) \
	  -DXF_VERSION='"$(VERSION)"' -DXF_LIBDIR='"$(PREFIX)/lib/xftrace"' \
	  $(shell pkg-config --cflags $(PKGS))
LIBS	= $(shell pkg-config --libs $(PKGS)) -lm -lpthread

# Each folder sees only the layers below it: docs/architecture.md draws them.
INC_base	:=
INC_keyctl	:= base abi
INC_kvm-memfile	:= keyctl base abi
INC_tracemaker	:= keyctl base abi
INC_nvm		:= base
INC_audit	:= tracemaker kvm-memfile keyctl base abi
INC_xftrace	:= audit tracemaker nvm kvm-memfile keyctl base abi
DIRS	:= base keyctl kvm-memfile tracemaker nvm audit xftrace

SRCS	:= $(foreach d,$(DIRS),$(sort $(wildcard $(d)/*.c)))
OBJS	:= $(SRCS:%.c=$(O)/obj/%.o)
MAIN	:= $(O)/obj/xftrace/main.o
LIB	:= $(O)/obj/libxf.a

.PHONY: all
all: $(O)/xftrace plugins

# A tool that is missing is named before the first compiler error is.
$(O)/.deps: scripts/need.sh
	@mkdir -p $(@D)
	@sh scripts/need.sh build
	@touch $@

# Flags are part of what an object depends on.
FLAGS	:= $(CC) $(CFLAGS) $(SAN) $(PREFIX) $(VERSION)
ifneq ($(FLAGS),$(shell cat $(O)/.flags 2>/dev/null))
$(shell mkdir -p $(O) && printf '%s' '$(FLAGS)' >$(O)/.flags)
endif

$(O)/obj/%.o: %.c $(O)/.flags | $(O)/.deps
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(XCFLAGS) $(addprefix -I,$(INC_$(firstword $(subst /, ,$*)))) \
		-MMD -MP -c $< -o $@

$(LIB): $(filter-out $(MAIN),$(OBJS))
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/xftrace: $(MAIN) $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LIBS)

# What is loaded into QEMU: sees the contract, and nothing else of ours.
PLUGINS	:= $(O)/dirty_tcg.so $(O)/dirty_kvm.so

$(O)/dirty_kvm.so: plugin/dirty_out.c
$(O)/%.so: plugin/%.c $(wildcard plugin/*.h) abi/xft_dirty.h $(O)/.flags | $(O)/.deps
	$(say) PLUGIN $<
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) $(CFLAGS) -fPIC \
		-fvisibility=hidden -shared -Iabi $(LDFLAGS) -o $@ $(filter %.c,$^) -lpthread -ldl

# Functions that a test program puts its own in the place of.
WRAP_crash := crc32c store_use store_is_written store_lock store_unlock
WRAP_test_store_fail := calloc realloc strdup asprintf open fstat ftruncate \
	fallocate mmap fcntl getrandom madvise unlink pmem_map_file pmem_msync
WRAP_test_memfile := fstatfs
WRAP_test_hostile := malloc calloc realloc reallocarray free
WRAP_test_image := $(WRAP_test_hostile)
wrap	= $(addprefix -Wl$(comma)--wrap=,$(WRAP_$1))

# Unit tests: every tests/unit/test_*.c is a cmocka program of its own.
UNIT	:= $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))
UNITBIN	:= $(UNIT:%=$(O)/unit/%)

$(O)/unit/%: tests/unit/%.c $(LIB)
	$(say) TEST $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(XCFLAGS) $(addprefix -I,$(DIRS) abi tests) -MMD -MP \
		-o $@ $< $(LIB) $(call wrap,$*) $(LIBS) -lcmocka

.PHONY: plugins
plugins: $(PLUGINS)

.PHONY: unit-programs
unit-programs: $(UNITBIN)

# Fuzz targets: every tests/fuzz/fuzz_*.c is a libFuzzer program. FUZZ=1 has
# them and the library compiled for it, so it wants an O of its own. What is
# wrapped stands in tests/fuzz/guest.h, stores.h and fuzz.h.
WRAP	:= memfile_read memfile_read_u64 memfile_run memfile_ptr \
	   memfile_map_writable memfile_for_each_extent \
	   gva_translate gva_code_run gva_read gva_read_u64 gva_read_str \
	   media_open media_close crc32c io_open_unnamed
FUZZBIN	:= $(patsubst tests/fuzz/fuzz_%.c,$(O)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZOBJ	:= $(patsubst %,$(O)/obj/tests/fuzz/%.o,fuzz guest stores)
INC_tests := $(DIRS) abi tests tests/fuzz
# They stay, so that nothing is compiled twice.
.SECONDARY: $(patsubst %.c,$(O)/obj/%.o,$(wildcard tests/fuzz/*.c))

$(O)/fuzz/%: $(O)/obj/tests/fuzz/fuzz_%.o $(FUZZOBJ) $(LIB)
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(SAN) -fsanitize=fuzzer $(LDFLAGS) $(WRAP:%=-Wl,--wrap=%) -o $@ $^ $(LIBS)

.PHONY: fuzz-programs fuzz
fuzz-programs: $(FUZZBIN)

# What they learn is kept, and what they run is added up.
fuzz: setup-test
	$(Q)$(MAKE) FUZZ=1 O=$(O)/fuzz fuzz-programs
	$(Q)O=$(O) FUZZ_CORPUS=$(O)/fuzz/corpus FUZZ_SECONDS=$(FUZZ_SECONDS) \
		FUZZ_RUNS=$(or $(FUZZ_RUNS),$(if $(FUZZ_SECONDS),0,3000000)) \
		bash tests/fuzz/run.sh $(FUZZ_TARGETS)

# What unit tests and the seeds of fuzz targets run of the parsers.
.PHONY: coverage
coverage: setup-test
	$(Q)$(MAKE) FUZZ=1 COVERAGE=1 O=$(O)/coverage unit-programs fuzz-programs
	$(Q)O=$(O)/coverage CLANG=$(CLANG) bash tests/coverage.sh

# The module's own ring writer against the host's reader, on this machine.
$(O)/stress/%: tests/stress/%.c tests/fake_ring.h guest/xft_ring.h \
		guest/xft_seal.c guest/xft_seal.h guest/xft_pool.h abi/xft_mac.h \
		$(LIB)
	$(say) TEST $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(XCFLAGS) $(addprefix -I,$(DIRS) abi guest tests) -o $@ $< \
		$(LIB) $(LIBS)

# The store on a medium that forgets.
$(O)/crash/%: tests/crash/%.c $(LIB)
	$(say) TEST $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(XCFLAGS) $(addprefix -I,nvm base) -o $@ $< $(LIB) \
		$(call wrap,$*) $(LIBS)

# A small VMM, and what a recorder must get from the shim in it. It runs in guests,
# too: only libc.
$(O)/stress/dirty_vmm: $(wildcard tests/vmm/*.[ch]) $(LIB)
	$(say) TEST tests/vmm
	@mkdir -p $(@D)
	$(Q)$(CC) $(XCFLAGS) -Wl,--as-needed -Ikvm-memfile -Ikeyctl -Ibase \
		-Iabi -o $@ $(filter %.c,$^) $(LIB) $(LIBS)

STRESS	:= $(O)/stress/dirty_vmm \
	   $(patsubst tests/stress/%.c,$(O)/stress/%,$(wildcard tests/stress/*.c)) \
	   $(patsubst tests/crash/%.c,$(O)/crash/%,$(wildcard tests/crash/*.c))

# The guest module. Kbuild writes beside the sources it is given, so it is given
# links to them, in a folder for each kernel. Our O= is not for Kbuild.
GUESTSRC := $(wildcard guest/*.[ch]) guest/Kbuild abi/xft_abi.h abi/xft_mac.h

# $(call build-module,KDIR,OUTDIR)
define build-module
	@mkdir -p $(2)
	@for f in $(GUESTSRC); do ln -sf $(CURDIR)/$$f $(2)/; done
	+$(Q)MAKEFLAGS="$${MAKEFLAGS%%-- *}" $(MAKE) -C $(1) M=$(abspath $(2)) \
		$(if $(Q),-s) modules
endef

.PHONY: guest
guest:
ifndef KDIR
	$(error say for which kernel: make guest KDIR=/lib/modules/RELEASE/build)
endif
	$(call build-module,$(KDIR),$(O)/guest/module)
	@echo "  MODULE  $(O)/guest/module/xftrace.ko"

$(O)/guest/%/xftrace.ko: $(GUESTSRC) | $(O)/kernels/%/release
	$(say) MODULE $@
	$(call build-module,$(O)/kernels/$*/headers,$(@D))
	@touch $@

# The benchmarks want it, too.
.PRECIOUS: $(O)/guest/%/xftrace.ko

# Kernels and the demo guest. Debian's packages are unpacked, not installed.
KERNELS	:= 6.1 6.12

$(KERNELS:%=$(O)/kernels/%/release): $(O)/kernels/%/release:
	$(Q)O=$(O) sh scripts/kernels.sh $*

# One folder a kernel, named after its release, for 'xftrace guest start'.
DEMOSRC	:= $(wildcard guest/demo/*)

$(O)/demo/.%: $(O)/guest/%/xftrace.ko $(DEMOSRC) | $(O)/kernels/%/release
	$(say) GUEST $*
	$(Q)d=$(O)/demo/$$(cat $(O)/kernels/$*/release) && mkdir -p $$d && \
		sh guest/demo/build.sh $(O)/kernels/$* $< $$d/initrd && \
		ln -sf ../../kernels/$*/vmlinuz $$d/vmlinuz && \
		{ [ $* != 6.1 ] || ln -sfn $${d##*/} $(O)/demo/default; }
	@touch $@

.PHONY: setup-build setup-guest setup-test demo-image
setup-build:
	$(Q)sh scripts/setup.sh build
setup-guest:
	$(Q)sh scripts/setup.sh build guest
setup-test:
	$(Q)sh scripts/setup.sh build guest test

demo-image: $(O)/demo/.6.1
demo-images: $(KERNELS:%=$(O)/demo/.%)

# Set-up comes first, whatever -j says.
.PHONY: demo
demo: setup-guest
	$(Q)$(MAKE) all demo-image
	$(Q)O=$(O) sh scripts/demo.sh

# Kernels are fetched one after the other, the rest is built at once.
NPROC	:= $(shell nproc)

.PHONY: check check-unit check-guest check-long
check: setup-test
	$(Q)$(MAKE) -j$(NPROC) all $(STRESS)
	$(Q)$(MAKE) demo-images
	$(Q)O=$(O) bash tests/run.sh unit cli guest

check-unit:
	$(Q)sh scripts/need.sh build test
	$(Q)$(MAKE) all $(STRESS)
	$(Q)O=$(O) bash tests/run.sh unit cli

check-guest: setup-test
	$(Q)$(MAKE) -j$(NPROC) all $(STRESS)
	$(Q)$(MAKE) demo-images
	$(Q)O=$(O) bash tests/run.sh guest

check-long: setup-test
	$(Q)$(MAKE) -j$(NPROC) all $(STRESS)
	$(Q)$(MAKE) demo-images
	$(Q)O=$(O) bash tests/run.sh long

.PHONY: bench
bench: setup-test
	$(Q)$(MAKE) -j$(NPROC) all $(STRESS)
	$(Q)$(MAKE) demo-images
	$(Q)O=$(O) bash tests/bench/run.sh

.PHONY: install
install: $(O)/xftrace $(PLUGINS)
	install -Dm755 $(O)/xftrace $(DESTDIR)$(PREFIX)/bin/xftrace
	install -d $(DESTDIR)$(PREFIX)/lib/xftrace
	install -m755 $(PLUGINS) $(DESTDIR)$(PREFIX)/lib/xftrace
	for p in man/*.1 man/*.5 man/*.7; do [ ! -e $$p ] || install -Dm644 $$p \
		$(DESTDIR)$(PREFIX)/share/man/man$${p##*.}/$${p##*/}; done
	install -Dm644 scripts/completion.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/xftrace
	install -d $(DESTDIR)$(PREFIX)/src/xftrace
	install -m644 $(GUESTSRC) $(DESTDIR)$(PREFIX)/src/xftrace

-include $(OBJS:.o=.d) $(UNITBIN:=.d) \
	$(patsubst %.c,$(O)/obj/%.d,$(wildcard tests/fuzz/*.c))

.PHONY: clean
clean:
	rm -rf $(O)
