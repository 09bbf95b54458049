// A check of the linked BLAS and LAPACK: some builds give wrong results at odd shapes, and nothing else would say so.
#pragma once

#include <string>

namespace rz::tool {

struct SelfTest {
  bool passed = false;
  int products = 0;     // matrix products compared
  double worst = 0;     // largest error seen, in units of the bound
  std::string failure;  // what differs, empty when passed
};

// gemm in f32 and f64 in all transposes at odd shapes, accumulating and not, against plain loops in f64, within
// (k + 2) eps of the sum of |a| |b|: a bound that every order of summation keeps. Then singular values of a matrix that
// is made from known ones.
SelfTest blas_self_test();
// 40 products at a time on at least 4 threads of the pool, 12 times over, in whole numbers, against plain loops: equal.
SelfTest concurrent_self_test();

}  // namespace rz::tool
