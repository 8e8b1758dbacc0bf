/* SPDX-License-Identifier: Apache-2.0 */
/* The register file: what reads and writes of single registers do. */
#include "tests/lib/fl_test.h"

#include "tests/unit/virtio/mmio_machine.h"

static void test_identity(void **state)
{
	struct machine *machine = *state;

	assert_int_equal(mmio_get(machine->dev, MMIO_MAGIC), 0x74726976);
	assert_int_equal(mmio_get(machine->dev, MMIO_VERSION), 2);
	assert_int_equal(mmio_get(machine->dev, MMIO_DEVICE_ID), DEVICE_ID);
	assert_int_equal(mmio_get(machine->dev, MMIO_STATUS), 0);
	assert_int_equal(mmio_get(machine->dev, MMIO_INTERRUPT_STATUS), 0);
	/* write-only registers and holes */
	assert_int_equal(mmio_get(machine->dev, MMIO_QUEUE_NOTIFY), 0);
	assert_int_equal(mmio_get(machine->dev, 0x0d0), 0);
}

static void test_features_by_halves(void **state)
{
	struct machine *machine = *state;

	assert_true(mmio_device_features(machine->dev) == ALL_FEATURES);
	mmio_put(machine->dev, MMIO_DEVICE_FEATURES_SEL, 2);
	assert_int_equal(mmio_get(machine->dev, MMIO_DEVICE_FEATURES), 0);
}

static void test_features_ok_only_for_a_subset_with_version_1(void **state)
{
	struct machine *machine = *state;

	assert_false(mmio_negotiate(machine->dev, ALL_FEATURES & ~FEATURE_VERSION_1));
	assert_false(mmio_negotiate(machine->dev, FEATURE_VERSION_1 | UINT64_C(0x40)));
	assert_false(mmio_negotiate(machine->dev, FEATURE_VERSION_1 | UINT64_C(1) << 34));
	assert_true(fl_virtio_features(machine->dev) == 0);
	assert_true(mmio_negotiate(machine->dev, FEATURE_VERSION_1));
	assert_true(fl_virtio_features(machine->dev) == FEATURE_VERSION_1);
	/* once accepted they stay */
	mmio_put(machine->dev, MMIO_DRIVER_FEATURES_SEL, 0);
	mmio_put(machine->dev, MMIO_DRIVER_FEATURES, OWN_FEATURE);
	mmio_put(machine->dev, MMIO_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	assert_true(fl_virtio_features(machine->dev) == FEATURE_VERSION_1);
	assert_true(mmio_negotiate(machine->dev, ALL_FEATURES));
	assert_true(fl_virtio_features(machine->dev) == ALL_FEATURES);
}

static void test_status_bits_only_go_by_reset(void **state)
{
	struct machine *machine = *state;

	mmio_put(machine->dev, MMIO_STATUS, STATUS_ACKNOWLEDGE);
	mmio_put(machine->dev, MMIO_STATUS, STATUS_DRIVER);
	assert_int_equal(mmio_get(machine->dev, MMIO_STATUS), STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	/* the driver cannot ask for a reset by our bit, nor be ready before features are agreed */
	mmio_put(machine->dev, MMIO_STATUS, STATUS_NEEDS_RESET | STATUS_DRIVER_OK);
	assert_int_equal(mmio_get(machine->dev, MMIO_STATUS), STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	mmio_put(machine->dev, MMIO_STATUS, STATUS_FAILED | STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	assert_int_equal(mmio_get(machine->dev, MMIO_STATUS), STATUS_FAILED | STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	mmio_put(machine->dev, MMIO_STATUS, 0);
	assert_int_equal(mmio_get(machine->dev, MMIO_STATUS), 0);
}

static void test_queue_select(void **state)
{
	struct machine *machine = *state;

	for (unsigned int i = 0; i < QUEUES; i++) {
		mmio_put(machine->dev, MMIO_QUEUE_SEL, i);
		assert_int_equal(mmio_get(machine->dev, MMIO_QUEUE_NUM_MAX), QUEUE_MAX);
		assert_int_equal(mmio_get(machine->dev, MMIO_QUEUE_READY), 0);
	}
	/* 4.2.2.1: 0 says that there is no such queue */
	mmio_put(machine->dev, MMIO_QUEUE_SEL, QUEUES);
	assert_int_equal(mmio_get(machine->dev, MMIO_QUEUE_NUM_MAX), 0);
	mmio_put(machine->dev, MMIO_QUEUE_SEL, UINT32_MAX);
	assert_int_equal(mmio_get(machine->dev, MMIO_QUEUE_NUM_MAX), 0);
	assert_int_equal(mmio_get(machine->dev, MMIO_QUEUE_READY), 0);
	mmio_put(machine->dev, MMIO_QUEUE_READY, 1);
	mmio_put(machine->dev, MMIO_QUEUE_NUM, 8);
	assert_false(fl_virtio_is_broken(machine->dev));
}

static void test_shared_memory_registers(void **state)
{
	struct machine *machine = *state;

	mmio_put(machine->dev, MMIO_SHM_SEL, 0);
	assert_true(mmio_get64(machine->dev, MMIO_SHM_LEN) == SHM_LEN);
	assert_true(mmio_get64(machine->dev, MMIO_SHM_BASE) == SHM_GPA);
	mmio_put(machine->dev, MMIO_SHM_SEL, 1);
	assert_true(mmio_get64(machine->dev, MMIO_SHM_LEN) == UINT64_MAX);
	assert_true(mmio_get64(machine->dev, MMIO_SHM_BASE) == UINT64_MAX);
	mmio_put(machine->dev, MMIO_SHM_SEL, UINT32_MAX);
	assert_true(mmio_get64(machine->dev, MMIO_SHM_LEN) == UINT64_MAX);
}

static void test_no_shared_memory_reads_all_ones(void **state)
{
	struct machine *machine = *state;
	struct fl_virtio_mmio_opts opts = machine_opts(machine);
	struct fl_virtio_mmio *dev;

	/* a loop of its own: the other one runs already */
	assert_int_equal(fl_loop_new("other", 0, &opts.loop, NULL), 0);
	opts.shm_len = 0;
	assert_int_equal(fl_virtio_mmio_new(&opts, &dev, NULL), 0);
	mmio_put(dev, MMIO_SHM_SEL, 0);
	assert_true(mmio_get64(dev, MMIO_SHM_LEN) == UINT64_MAX);
	fl_virtio_mmio_free(dev);
	fl_loop_free(opts.loop);
}

static void test_control_registers_want_aligned_words(void **state)
{
	struct machine *machine = *state;
	uint8_t bytes[8];

	static const uint32_t lens[] = {1, 2, 8};

	for (size_t i = 0; i < FL_ARRAY_SIZE(lens); i++) {
		memset(bytes, 0xff, sizeof(bytes));
		fl_virtio_mmio_access(machine->dev, MMIO_MAGIC, false, bytes, lens[i]);
		for (uint32_t j = 0; j < sizeof(bytes); j++)
			assert_int_equal(bytes[j], j < lens[i] ? 0 : 0xff);
		memset(bytes, 1, sizeof(bytes));
		fl_virtio_mmio_access(machine->dev, MMIO_STATUS, true, bytes, lens[i]);
		assert_int_equal(mmio_get(machine->dev, MMIO_STATUS), 0);
	}
	assert_int_equal(mmio_get(machine->dev, 2), 0);
	mmio_put(machine->dev, MMIO_STATUS + 1, 1);
	assert_int_equal(mmio_get(machine->dev, MMIO_STATUS), 0);
}

static void test_configuration_space(void **state)
{
	struct machine *machine = *state;
	uint8_t bytes[8];

	for (uint32_t len = 1; len <= 4; len *= 2) {
		for (uint32_t offset = 0; offset < 16; offset++) {
			memset(bytes, 0xee, sizeof(bytes));
			fl_virtio_mmio_access(machine->dev, MMIO_CONFIG + offset, false, bytes, len);
			for (uint32_t i = 0; i < sizeof(bytes); i++) {
				uint8_t inside = offset + i < sizeof(config_bytes) ? config_bytes[offset + i] : 0;

				assert_int_equal(bytes[i], i < len ? inside : 0xee);
			}
		}
	}
	fl_virtio_mmio_access(machine->dev, MMIO_CONFIG + 8, true, bytes, 2);
	assert_int_equal(machine->written_at, 8);
	assert_int_equal(machine->written_len, 2);
	machine->written_len = 0;
	fl_virtio_mmio_access(machine->dev, MMIO_CONFIG + 9, true, bytes, 2);
	fl_virtio_mmio_access(machine->dev, MMIO_CONFIG + 0, true, bytes, 3);
	fl_virtio_mmio_access(machine->dev, UINT64_MAX, true, bytes, 4);
	fl_virtio_mmio_access(machine->dev, UINT64_MAX, false, bytes, 4);
	fl_virtio_mmio_access(machine->dev, FL_VIRTIO_MMIO_LEN - 2, false, bytes, 4);
	assert_int_equal(machine->written_len, 0);
}

static void test_bad_options_are_refused_with_a_sentence(void **state)
{
	struct machine *machine = *state;
	struct fl_virtio_mmio *dev = NULL;

#define ASSERT_REFUSES(field, value)                                               \
	do {                                                                       \
		struct fl_virtio_mmio_opts opts = machine_opts(machine);           \
		struct fl_diag diag = {0};                                         \
		opts.field = (value);                                              \
		assert_int_equal(fl_virtio_mmio_new(&opts, &dev, &diag), -EINVAL); \
		assert_true(diag.error == -EINVAL && diag.text[0]);                \
		assert_null(dev);                                                  \
	} while (0)
	ASSERT_REFUSES(queue_count, 0);
	ASSERT_REFUSES(queue_count, FL_VIRTIO_QUEUES_MAX + 1);
	ASSERT_REFUSES(queue_size_max, 0);
	ASSERT_REFUSES(queue_size_max, 48);
	ASSERT_REFUSES(queue_size_max, FL_VIRTQ_SIZE_MAX * 2);
	ASSERT_REFUSES(config_len, 0xf01);
	ASSERT_REFUSES(gpa, 0xfeb00004);
	ASSERT_REFUSES(ops.reset, NULL);
	fl_virtio_mmio_free(NULL);
}

#define MACHINE_TEST(f) cmocka_unit_test_setup_teardown(f, machine_setup, machine_teardown)

static const struct CMUnitTest tests[] = {
	MACHINE_TEST(test_identity),
	MACHINE_TEST(test_features_by_halves),
	MACHINE_TEST(test_features_ok_only_for_a_subset_with_version_1),
	MACHINE_TEST(test_status_bits_only_go_by_reset),
	MACHINE_TEST(test_queue_select),
	MACHINE_TEST(test_shared_memory_registers),
	MACHINE_TEST(test_no_shared_memory_reads_all_ones),
	MACHINE_TEST(test_control_registers_want_aligned_words),
	MACHINE_TEST(test_configuration_space),
	MACHINE_TEST(test_bad_options_are_refused_with_a_sentence),
};
FL_TEST_MAIN(50, tests)
