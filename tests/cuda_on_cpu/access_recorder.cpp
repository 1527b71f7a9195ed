// Finds threads of a launch that touch each other's memory.
//
// The kernels are compiled with g++'s -fsanitize=thread, which calls a function before every
// access to memory, and are linked with the functions below instead of ThreadSanitizer's own. They
// keep, for every byte, which thread of the grid wrote it and which read it. On a GPU, threads run
// in no order, so a byte that one thread writes and another one reads or writes in the same launch
// is an error, whatever the values are. This file is compiled without -fsanitize=thread.
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace {

constexpr uint64_t kNobody = ~uint64_t{0}, kSeveral = kNobody - 1;

struct Access {
  uint64_t writer = kNobody, reader = kNobody;
};

bool recording = false;
uint64_t current = kNobody;
uintptr_t stack_top = 0;
std::unordered_map<uintptr_t, Access> accesses;
std::string conflict;

// The thread's own variables lie on the stack, between here and the frame of the launch.
bool on_stack(uintptr_t address) {
  const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  return address >= here && address <= stack_top;
}

void report(const char* what, uint64_t other, uintptr_t address) {
  if (!conflict.empty()) return;
  conflict = "write conflict at address " + std::to_string(address) + ": thread " +
             std::to_string(current) + " " + what + " " +
             (other == kSeveral ? "several threads" : "thread " + std::to_string(other));
}

void record(void* pointer, size_t size, bool write) {
  const auto begin = reinterpret_cast<uintptr_t>(pointer);
  if (!recording || on_stack(begin)) return;
  for (uintptr_t address = begin; address < begin + size; ++address) {
    Access& access = accesses[address];
    if (access.writer != kNobody && access.writer != current) {
      report(write ? "writes what was written by" : "reads what was written by",
             access.writer, address);
    }
    if (write) {
      if (access.reader != kNobody && access.reader != current) {
        report("writes what was read by", access.reader, address);
      }
      access.writer = current;
    } else if (access.reader == kNobody) {
      access.reader = current;
    } else if (access.reader != current) {
      access.reader = kSeveral;
    }
  }
}

}  // namespace

extern "C" {

void convviz_begin_launch() {
  accesses.clear();
  conflict.clear();
  stack_top = reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) + (1 << 16);
}

// Recording ends with the thread: what the loop over the threads does is not the kernel's.
void convviz_begin_thread(uint64_t thread) {
  current = thread;
  recording = true;
}

void convviz_end_thread() { recording = false; }

const char* convviz_end_launch() {
  return conflict.empty() ? nullptr : conflict.c_str();
}

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

#define CONVVIZ_ACCESS(size)                                                       \
  void __tsan_read##size(void* address) { record(address, size, false); }          \
  void __tsan_write##size(void* address) { record(address, size, true); }          \
  void __tsan_unaligned_read##size(void* address) { record(address, size, false); } \
  void __tsan_unaligned_write##size(void* address) { record(address, size, true); }

CONVVIZ_ACCESS(1)
CONVVIZ_ACCESS(2)
CONVVIZ_ACCESS(4)
CONVVIZ_ACCESS(8)
CONVVIZ_ACCESS(16)

void __tsan_read_range(void* address, size_t size) { record(address, size, false); }
void __tsan_write_range(void* address, size_t size) { record(address, size, true); }

// The launchers' own reference counts; kernels have no atomics.
#define CONVVIZ_ATOMIC(bits, type)                                                              \
  type __tsan_atomic##bits##_load(const volatile type* a, int) {                                \
    return __atomic_load_n(a, __ATOMIC_SEQ_CST);                                                \
  }                                                                                             \
  void __tsan_atomic##bits##_store(volatile type* a, type v, int) {                             \
    __atomic_store_n(a, v, __ATOMIC_SEQ_CST);                                                   \
  }                                                                                             \
  type __tsan_atomic##bits##_exchange(volatile type* a, type v, int) {                          \
    return __atomic_exchange_n(a, v, __ATOMIC_SEQ_CST);                                         \
  }                                                                                             \
  type __tsan_atomic##bits##_fetch_add(volatile type* a, type v, int) {                         \
    return __atomic_fetch_add(a, v, __ATOMIC_SEQ_CST);                                          \
  }                                                                                             \
  type __tsan_atomic##bits##_fetch_sub(volatile type* a, type v, int) {                         \
    return __atomic_fetch_sub(a, v, __ATOMIC_SEQ_CST);                                          \
  }                                                                                             \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type* a, type* e, type v, int, int) { \
    return __atomic_compare_exchange_n(a, e, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);     \
  }                                                                                             \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile type* a, type* e, type v, int, int) { \
    return __atomic_compare_exchange_n(a, e, v, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);      \
  }

CONVVIZ_ATOMIC(8, int8_t)
CONVVIZ_ATOMIC(32, int32_t)
CONVVIZ_ATOMIC(64, int64_t)

}  // extern "C"
