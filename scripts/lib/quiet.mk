# SPDX-License-Identifier: GPL-2.0-only
#
# One short line for each command, the whole command with V=1, nothing with make -s. Included by
# user/Makefile and selftests/Makefile, which set TOP.

is_silent := $(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(V)$(is_silent),,@printf '  %-3s %s\n' $(1) $(@:$(TOP)/build/%=%) &&)
