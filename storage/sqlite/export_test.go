package sqlite

// Exec runs a statement on the write connection, between transactions.
func (s *Store) Exec(q string) error {
	s.writer.turn <- struct{}{}
	defer func() { <-s.writer.turn }()
	return s.writer.c.exec(q)
}

// Waiting is how many callers queue for the write connection.
func (s *Store) Waiting() int { return int(s.writer.waiting.Load()) }

// LastBatch is how many callers shared the last commit.
func (s *Store) LastBatch() int {
	s.writer.turn <- struct{}{}
	defer func() { <-s.writer.turn }()
	return s.writer.last
}

// SetApplicationID makes the file another program's.
const SetApplicationID = "PRAGMA application_id = 42"
