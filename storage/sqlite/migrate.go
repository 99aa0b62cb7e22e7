package sqlite

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/callward/callward/storage"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks the file as ours ("CwdD"), so that another program's
// database is not migrated by mistake.
const applicationID = 0x43776444

// migrate brings the schema to the newest version, each step in a transaction
// of its own.
func migrate(c *conn, now time.Time) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return fmt.Errorf("sqlite: migrations: %w", err)
	}
	have, err := schemaVersion(c)
	if err != nil {
		return err
	}
	if have > len(names) {
		return fmt.Errorf("%w: the database is of schema %d, this callward knows %d: run the newer callward",
			storage.ErrNewer, have, len(names))
	}
	for ; have < len(names); have++ {
		if err := apply(c, names[have], have+1, now); err != nil {
			return fmt.Errorf("sqlite: migration %d: %w", have+1, err)
		}
	}
	return nil
}

// schemaKnown is the newest version there is a migration to.
func schemaKnown() int {
	names, _ := fs.Glob(migrations, "migrations/*.sql") // the pattern is well formed
	return len(names)
}

// schemaVersion is 0 for an empty file.
func schemaVersion(c *conn) (int, error) {
	var id, tables int
	if _, err := c.one("PRAGMA application_id", nil, &id); err != nil {
		return 0, err
	}
	if _, err := c.one("SELECT count(*) FROM sqlite_schema", nil, &tables); err != nil {
		return 0, err
	}
	switch {
	case tables == 0:
		return 0, nil
	case id != applicationID:
		return 0, fmt.Errorf("%w: the file is another program's database", storage.ErrUnavailable)
	}
	var v int
	_, err := c.one("SELECT coalesce(max(version), 0) FROM schema_version", nil, &v)
	return v, err
}

func apply(c *conn, name string, version int, now time.Time) error {
	b, err := migrations.ReadFile(name)
	if err != nil {
		return err
	}
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err = func() error {
		have, err := schemaVersion(c) // another process may have been faster
		if err != nil || have >= version {
			return err
		}
		if version == 1 {
			if err := c.exec(fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
				return err
			}
			if err := c.exec("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT"); err != nil {
				return err
			}
		}
		if err := c.exec(string(b)); err != nil {
			return err
		}
		return c.exec("INSERT INTO schema_version (version, applied_at) VALUES (?, ?)", version, now.UnixMilli())
	}()
	if err == nil {
		err = c.exec("COMMIT")
	}
	if err != nil {
		return errors.Join(err, c.exec("ROLLBACK"))
	}
	return nil
}
