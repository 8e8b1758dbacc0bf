/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guest_window and box_window.c know of the files that they share: ten windows full. A file is cut into places of
 * 2 MiB, counted through all files; each begins with two words: its number plus one, and how often it was stored to.
 * The words behind those are scratch, one for each thread.
 */
#ifndef GUEST_WINDOW_H
#define GUEST_WINDOW_H

#define WINDOW_FILES	   10u
#define WINDOW_FILE_PLACES 32u /* 64 MiB, which is the size of the window */
#define WINDOW_PLACES	   (WINDOW_FILES * WINDOW_FILE_PLACES)
#define WINDOW_PLACE_LEN   (2ul << 20)
#define WINDOW_FILE_LEN	   (WINDOW_FILE_PLACES * WINDOW_PLACE_LEN)
#define WINDOW_THREADS	   4u
#define WINDOW_TURNS	   200u /* of each thread */

#endif
