/* SPDX-License-Identifier: Apache-2.0 */
/* The unit tests' model of a driver, for programs without cmocka. */
#ifndef FUZZ_GUEST_H
#define FUZZ_GUEST_H

#include "fuzz.h"

#define assert_true(condition)	      FUZZ_CHECK(condition)
#define assert_int_equal(left, right) FUZZ_CHECK((left) == (right))

#include "tests/unit/virtio/driver_model.h"

#endif
