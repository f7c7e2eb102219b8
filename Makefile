# SPDX-License-Identifier: GPL-2.0-only
#
# Names what can be made; how is in scripts/, user/Makefile and selftests/Makefile. All output goes to
# build/. Every target first installs the Debian packages it needs and that are missing.
#
#	make check T=fs/rename K=6.12		only some tests, another kernel
#	make install DESTDIR=/tmp/x PREFIX=/usr/local

K ?= 6.1

setup = scripts/setup $(1)
kernels = $(foreach k,$(K),--kernel $(k))
backings = $(foreach f,$(FS),--fs $(f))
soak_kernels = $(if $(filter file,$(origin K)),,$(kernels))

all: user ## the programs

user: ## the programs, into build/user
	@$(call setup,build)
	@$(MAKE) --no-print-directory -C user

module: ## the kernel module for kernel K, into build/K
	@$(call setup,module)
	@scripts/kmod-build $(K)

selftests: user ## the test programs, into build/selftests
	@$(call setup,build test)
	@$(MAKE) --no-print-directory -C selftests

check: selftests ## all tests on 6.1 and four filesystems; or those of T=ring/program, on kernel K, on FS=xfs...
	@$(call setup,build module vm test peers dkms)
	@selftests/run $(kernels) $(backings) $(T)

matrix: selftests ## the tests in the virtual machine, on every kernel and backing filesystem
	@$(call setup,build module vm test dkms)
	@selftests/run --kernel 6.1 --kernel 6.12 --kernel 7.3 --kernel debug \
		$(or $(backings),--fs ext4 --fs xfs --fs btrfs --fs tmpfs) $(or $(T),fs)

soak: selftests ## mixed load, MINUTES=20 on each of 6.1 and debug, or on kernel K
	@$(call setup,build module vm test)
	@selftests/soak/run $(soak_kernels) $(backings) --minutes $(or $(MINUTES),20)

crash: selftests ## crash points of all workloads, on kernel K; or POINTS=1000, MINUTES=10, FS=xfs, T=name
	@$(call setup,build module vm test)
	@selftests/crash/run $(kernels) $(backings) $(if $(POINTS),--points $(POINTS)) \
		$(if $(MINUTES),--minutes $(MINUTES)) $(T)

registry-crash: user ## the registry killed KILLS=200 times under clients that push and pull: SEED=n
	@$(call setup,build test)
	@SHALE_TEST_KILLS=$(or $(KILLS),200) $(if $(SEED),SHALE_TEST_SEED=$(SEED)) selftests/registry/crash.sh

registry-stores: selftests ## the registry's storage drivers on real object stores, T=swift.swap some of the tests
	@$(call setup,build test stores)
	@selftests/registry/stores $(T)

faults: selftests ## memory, requests and disks that fail, MINUTES=5 on each filesystem of 6.1 and debug; or K= FS= SEED=n
	@$(call setup,build module vm test)
	@selftests/faults/run $(soak_kernels) $(backings) --minutes $(or $(MINUTES),5) $(if $(SEED),--seed $(SEED))

kills: user ## commands on the store killed at random moments: KILLS=200 SEED=n
	@$(call setup,build test)
	@KILLS=$(or $(KILLS),200) SEED=$(SEED) selftests/image/kills.sh

container-kills: user ## daemons and supervisors of containers killed at KILLS=100 random moments each: SEED=n
	@$(call setup,build test)
	@SHALE_TEST_KILLS=$(or $(KILLS),100) $(if $(SEED),SHALE_TEST_SEED=$(SEED)) selftests/container/kills.sh

container-many: user ## COUNT=100 containers started and removed ROUNDS=10 times, 8 at a time
	@$(call setup,build test)
	@SHALE_TEST_COUNT=$(or $(COUNT),100) SHALE_TEST_ROUNDS=$(or $(ROUNDS),10) selftests/container/many.sh

fails: selftests ## every call fails once by which a verb changes the store; T=commit one of load, commit, pull, save, rmi, prune, repair
	@$(call setup,build test)
	@FAILS=all selftests/image/fails.sh $(T)

oracle: selftests ## random operations on file contents against a model: OPERATIONS=20000 SEED=n K= FS=
	@$(call setup,build module vm test)
	@selftests/oracle/run $(kernels) $(backings) --operations $(or $(OPERATIONS),20000) \
		$(if $(SEED),--seed $(SEED))

bench: selftests ## instructions and device bytes of common operations beside overlayfs, on kernel K
	@$(call setup,build module vm test)
	@scripts/vm --kernel $(K) --icount --disk ext4:256M -- build/selftests/bench/operations /mnt/0
	@for b in blocks mappings; do scripts/vm --kernel $(K) --icount --mem 3072 --timeout 1800 --disk ext4:1G -- \
		build/selftests/bench/$$b /mnt/0 || exit 1; done
	@scripts/vm --kernel $(K) --icount --mem 2048 --timeout 1800 --disk ext4:256M -- build/selftests/bench/layers /mnt/0
	@scripts/vm --kernel $(K) --mem 2048 --timeout 900 --disk ext4:1G -- build/selftests/bench/sharing /mnt/0
	@scripts/vm --kernel $(K) --icount --mem 3072 --timeout 3600 --disk ext4:8G -- \
		build/selftests/bench/promotions /mnt/0

bench-registry: user ## CPU and memory of the registry beside Debian's docker-registry, TURNS=3, T=PUT some of the rows
	@$(call setup,build test bench)
	@selftests/bench/serve.py $(or $(TURNS),3) $(T)

bench-pull: user ## CPU and memory of shale pull beside skopeo, TURNS=3
	@$(call setup,build test demo)
	@selftests/bench/pull.sh $(TURNS)

bench-unpack: user ## CPU and memory of shale pull beside podman and containerd, TURNS=3
	@$(call setup,build test demo bench)
	@selftests/bench/unpack.sh $(TURNS)

demo: ## a Debian image made, imported, mounted, used and changed, on kernel K
	@$(call setup,build module vm demo)
	@K=$(firstword $(K)) scripts/demo

fuzz: ## every parser under libFuzzer, SECONDS=600 each
	@$(call setup,build fuzz)
	@scripts/fuzz --seconds $(or $(SECONDS),600) $(T)

vm-shell: ## a shell in the virtual machine, the module loaded
	@$(call setup,vm module)
	@scripts/vm --kernel $(K) --tty -- bash -l

install: user ## the programs, manual pages and headers into PREFIX=/usr
	@scripts/install

uninstall: ## what install has installed
	@scripts/install --remove

dkms-install: ## the module through DKMS, for every kernel whose headers are installed
	@$(call setup,dkms)
	@scripts/dkms-install

dkms-uninstall: ## the module and its source out of DKMS
	@scripts/dkms-install --remove

clean: ## everything that was built
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

export DESTDIR PREFIX

.PHONY: all user module selftests check matrix soak crash registry-crash registry-stores faults kills container-kills container-many fails oracle bench bench-pull bench-unpack bench-registry demo fuzz vm-shell \
	install uninstall dkms-install dkms-uninstall clean help
