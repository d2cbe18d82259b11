/* SPDX-License-Identifier: Apache-2.0 */
/* virtio_net.h - what the driver and the start-up tell each other. */
#ifndef KINF_VIRTIO_NET_H
#define KINF_VIRTIO_NET_H

/* Takes the interrupt's line down again. */
void virtio_net_quiet(void);

/* Lets this interrupt end a sleep. */
void board_wake_by(unsigned irq);

#endif
