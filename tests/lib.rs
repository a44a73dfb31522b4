//! The integration tests of Daybook, which are in the folders beside this file.
