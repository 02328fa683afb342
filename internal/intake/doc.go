// Package intake is the use-case of taking in files: it reads their rows, has each judged, writes those that hold and
// keeps a verdict on every one of them. What the rows are about is a [Kind]; this package brings that of the directory.
//
// A file is worked off in batches. A batch is one transaction: what its rows make and change, their verdicts, and how
// far the file has been read. Whoever is killed goes on after the last batch, and a file that was taken in once changes
// nothing when it comes again. Of a file as large as one likes only a batch is in memory, beside eight bytes a row.
package intake
