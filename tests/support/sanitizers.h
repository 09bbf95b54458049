// RZ_ADDRESS_SANITIZER and RZ_THREAD_SANITIZER: 1 in a build with the sanitizer, else 0.
#pragma once

#ifdef __has_feature  // clang
#define RZ_HAS_SANITIZER(name) __has_feature(name)
#else
#define RZ_HAS_SANITIZER(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || RZ_HAS_SANITIZER(address_sanitizer)
#define RZ_ADDRESS_SANITIZER 1
#else
#define RZ_ADDRESS_SANITIZER 0
#endif

#if defined(__SANITIZE_THREAD__) || RZ_HAS_SANITIZER(thread_sanitizer)
#define RZ_THREAD_SANITIZER 1
#else
#define RZ_THREAD_SANITIZER 0
#endif
