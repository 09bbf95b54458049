// LAPACK's routines as OpenBLAS exports them (there is no LAPACKE in Debian's), overloaded on the type. Private to the
// files that call it. Column-major, counts in 32 bits. Lengths of character arguments follow at the end, hidden, as
// Fortran compilers pass them. Every function returns info: 0 for success, > 0 where the routine says what failed.
#pragma once

#include <cstddef>

#define RZ_LAPACK(T, p)                                                                                                \
  extern "C" {                                                                                                         \
  void p##gesdd_(const char* job, const int* m, const int* n, T* a, const int* lda, T* s, T* u, const int* ldu, T* vt, \
                 const int* ldvt, T* work, const int* lwork, int* iwork, int* info, std::size_t);                      \
  void p##gesvd_(const char* job_u, const char* job_vt, const int* m, const int* n, T* a, const int* lda, T* s, T* u,  \
                 const int* ldu, T* vt, const int* ldvt, T* work, const int* lwork, int* info, std::size_t,            \
                 std::size_t);                                                                                         \
  void p##geqrf_(const int* m, const int* n, T* a, const int* lda, T* tau, T* work, const int* lwork, int* info);      \
  void p##geqp3_(const int* m, const int* n, T* a, const int* lda, int* jpvt, T* tau, T* work, const int* lwork,       \
                 int* info);                                                                                           \
  void p##orgqr_(const int* m, const int* n, const int* k, T* a, const int* lda, const T* tau, T* work,                \
                 const int* lwork, int* info);                                                                         \
  void p##syevd_(const char* job, const char* uplo, const int* n, T* a, const int* lda, T* w, T* work,                 \
                 const int* lwork, int* iwork, const int* liwork, int* info, std::size_t, std::size_t);                \
  }                                                                                                                    \
  namespace rz::lapack {                                                                                               \
  inline int gesdd(char job, int m, int n, T* a, int lda, T* s, T* u, int ldu, T* vt, int ldvt, T* work, int lwork,    \
                   int* iwork) {                                                                                       \
    int info = 0;                                                                                                      \
    p##gesdd_(&job, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, work, &lwork, iwork, &info, 1);                            \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline int gesvd(char job_u, char job_vt, int m, int n, T* a, int lda, T* s, T* u, int ldu, T* vt, int ldvt,         \
                   T* work, int lwork) {                                                                               \
    int info = 0;                                                                                                      \
    p##gesvd_(&job_u, &job_vt, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, work, &lwork, &info, 1, 1);                     \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline int geqrf(int m, int n, T* a, int lda, T* tau, T* work, int lwork) {                                          \
    int info = 0;                                                                                                      \
    p##geqrf_(&m, &n, a, &lda, tau, work, &lwork, &info);                                                              \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline int geqp3(int m, int n, T* a, int lda, int* jpvt, T* tau, T* work, int lwork) {                               \
    int info = 0;                                                                                                      \
    p##geqp3_(&m, &n, a, &lda, jpvt, tau, work, &lwork, &info);                                                        \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline int orgqr(int m, int n, int k, T* a, int lda, const T* tau, T* work, int lwork) {                             \
    int info = 0;                                                                                                      \
    p##orgqr_(&m, &n, &k, a, &lda, tau, work, &lwork, &info);                                                          \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline int syevd(char job, char uplo, int n, T* a, int lda, T* w, T* work, int lwork, int* iwork, int liwork) {      \
    int info = 0;                                                                                                      \
    p##syevd_(&job, &uplo, &n, a, &lda, w, work, &lwork, iwork, &liwork, &info, 1, 1);                                 \
    return info;                                                                                                       \
  }                                                                                                                    \
  }
RZ_LAPACK(float, s)
RZ_LAPACK(double, d)
#undef RZ_LAPACK
