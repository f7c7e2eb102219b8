/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is told to the service manager that has started us, if one has: systemd's protocol, a datagram to the
 * socket that $NOTIFY_SOCKET names.
 */
#ifndef SHALE_HTTPD_MANAGER_H
#define SHALE_HTTPD_MANAGER_H

/* "READY=1", "STOPPING=1". */
void manager_notify(const char *text);

#endif
