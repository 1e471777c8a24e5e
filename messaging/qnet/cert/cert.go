// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/quorate/quorate/internal/atomicfile"
	"github.com/quorate/quorate/messaging/qnet"
)

// The folders, as corosync has them, and the names of files in them.
const (
	ServerDir  = "/etc/corosync/qnetd/nssdb"
	NodeDir    = "/etc/corosync/qdevice/net/nssdb"
	CAFile     = "qnetd-cacert.crt"
	caKey      = "qnetd-ca.key"
	serverCert = "qnetd-server.crt"
	serverKey  = "qnetd-server.key"
	nodeCert   = "cluster.crt"
	nodeKey    = "cluster.key"
	Request    = "qdevice-net-node.crq"
	Bundle     = "qdevice-net-node.p12"
)

// Errors of the steps.
var (
	// ErrExists: the step was done before.
	ErrExists = errors.New("cert: certificates exist already")
	// ErrMissing: an earlier step was not done.
	ErrMissing = errors.New("cert: certificates do not exist")
	// ErrUnusable: a file does not hold what it should.
	ErrUnusable = errors.New("cert: file not usable")
)

const (
	validYears = 100
	keyMode    = 0o600
	certMode   = 0o644
	dirMode    = 0o770
	maxFile    = 1 << 20 // bytes of a file that is read
)

// Types of PEM blocks.
const (
	typeCert    = "CERTIFICATE"
	typeKey     = "EC PRIVATE KEY"
	typeRequest = "CERTIFICATE REQUEST"
)

// InitServer makes the authority and the server's certificate in dir.
func InitServer(dir string, now time.Time) error {
	if exists(dir, caKey) {
		return fmt.Errorf("%w in %s: delete them to make new ones", ErrExists, dir)
	}
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return fmt.Errorf("cert: make the folder: %w", err)
	}
	ca, err := newKey()
	if err != nil {
		return err
	}
	root := &x509.Certificate{
		Subject: pkix.Name{CommonName: "QNet CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	rootDER, err := sign(root, root, &ca.PublicKey, ca, now)
	if err != nil {
		return err
	}
	root, err = x509.ParseCertificate(rootDER)
	if err != nil {
		return fmt.Errorf("cert: read the authority back: %w", err)
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	der, err := sign(&x509.Certificate{Subject: pkix.Name{CommonName: qnet.ServerName}}, root, &key.PublicKey, ca, now)
	if err != nil {
		return err
	}
	return errors.Join(
		writeKey(dir, serverKey, key),
		write(dir, serverCert, typeCert, der, certMode),
		write(dir, CAFile, typeCert, rootDER, certMode),
		writeKey(dir, caKey, ca), // last: it tells that all is there
	)
}

// Sign makes the certificate of a cluster of its request and names the file.
func Sign(dir, cluster string, request []byte, now time.Time) (path string, err error) {
	caPEM, err := read(dir, CAFile)
	if err != nil {
		return "", err
	}
	root, err := parseCert(caPEM)
	if err != nil {
		return "", err
	}
	key, err := readKey(dir, caKey)
	if err != nil {
		return "", err
	}
	req, err := x509.ParseCertificateRequest(der(request, typeRequest))
	if err == nil {
		err = req.CheckSignature()
	}
	if err != nil {
		return "", fmt.Errorf("%w: certificate request: %w", ErrUnusable, err)
	}
	if req.Subject.CommonName != cluster {
		return "", fmt.Errorf("%w: the request is for cluster %q, not %q", ErrUnusable, req.Subject.CommonName, cluster)
	}
	out, err := sign(&x509.Certificate{Subject: pkix.Name{CommonName: cluster}}, root, req.PublicKey, key, now)
	if err != nil {
		return "", err
	}
	name := "cluster-" + filepath.Base(cluster) + ".crt"
	return filepath.Join(dir, name), write(dir, name, typeCert, out, certMode)
}

// InitNode takes over the server's authority on a node.
func InitNode(dir string, ca []byte) error {
	if exists(dir, CAFile) {
		return fmt.Errorf("%w in %s: delete them to take others", ErrExists, dir)
	}
	c, err := parseCert(ca)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return fmt.Errorf("cert: make the folder: %w", err)
	}
	return write(dir, CAFile, typeCert, c.Raw, certMode)
}

// NewRequest makes the cluster's key and a request for its certificate, and
// names the file.
func NewRequest(dir, cluster string) (path string, err error) {
	if !exists(dir, CAFile) {
		return "", fmt.Errorf("%w in %s: take the server's authority first", ErrMissing, dir)
	}
	key, err := newKey()
	if err != nil {
		return "", err
	}
	req, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: cluster}}, key)
	if err != nil {
		return "", fmt.Errorf("cert: make the request: %w", err)
	}
	path = filepath.Join(dir, Request)
	// DER: corosync's server takes nothing else.
	return path, errors.Join(writeKey(dir, nodeKey, key), writeFile(path, req, certMode))
}

// Import takes the signed certificate of this node's request, and packs it with
// its key for the cluster's other nodes. It names that file.
func Import(dir string, signed []byte) (bundle string, err error) {
	c, err := parseCert(signed)
	if err != nil {
		return "", err
	}
	key, err := readKey(dir, nodeKey)
	if err != nil {
		return "", err
	}
	if !key.PublicKey.Equal(c.PublicKey) {
		return "", fmt.Errorf("%w: the certificate is not for the key in %s", ErrUnusable, dir)
	}
	if err := write(dir, nodeCert, typeCert, c.Raw, certMode); err != nil {
		return "", err
	}
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("cert: pack the key: %w", err)
	}
	var b bytes.Buffer
	for _, block := range []*pem.Block{{Type: typeCert, Bytes: c.Raw}, {Type: typeKey, Bytes: raw}} {
		b.Write(pem.EncodeToMemory(block))
	}
	bundle = filepath.Join(dir, Bundle)
	return bundle, writeFile(bundle, b.Bytes(), keyMode)
}

// ImportBundle takes what [Import] has packed on another node.
func ImportBundle(dir string, bundle []byte) error {
	if !exists(dir, CAFile) {
		return fmt.Errorf("%w in %s: take the server's authority first", ErrMissing, dir)
	}
	c, err := parseCert(bundle)
	if err != nil {
		return fmt.Errorf("%w (a PKCS#12 file of another tool must be turned into PEM first: openssl pkcs12 -nodes -in FILE)", err)
	}
	key, err := parseKey(bundle)
	if err != nil {
		return err
	}
	if !key.PublicKey.Equal(c.PublicKey) {
		return fmt.Errorf("%w: certificate and key do not belong together", ErrUnusable)
	}
	return errors.Join(writeKey(dir, nodeKey, key), write(dir, nodeCert, typeCert, c.Raw, certMode))
}

func newKey() (*ecdsa.PrivateKey, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cert: make a key: %w", err)
	}
	return k, nil
}

func sign(c, issuer *x509.Certificate, pub any, key *ecdsa.PrivateKey, now time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, fmt.Errorf("cert: make a serial number: %w", err)
	}
	c.SerialNumber = serial
	c.NotBefore, c.NotAfter = now.Add(-24*time.Hour), now.AddDate(validYears, 0, 0)
	out, err := x509.CreateCertificate(rand.Reader, c, issuer, pub, key)
	if err != nil {
		return nil, fmt.Errorf("cert: sign: %w", err)
	}
	return out, nil
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

func write(dir, name, typ string, der []byte, mode fs.FileMode) error {
	return writeFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}), mode)
}

func writeFile(path string, b []byte, mode fs.FileMode) error {
	if err := atomicfile.WriteFile(path, b, mode); err != nil {
		return fmt.Errorf("cert: write %s: %w", path, err)
	}
	return nil
}

func writeKey(dir, name string, k *ecdsa.PrivateKey) error {
	raw, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		return fmt.Errorf("cert: pack the key: %w", err)
	}
	return write(dir, name, typeKey, raw, keyMode)
}

func read(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %s", ErrMissing, path)
	case err != nil:
		return nil, fmt.Errorf("cert: read: %w", err)
	}
	return b, nil
}

func readKey(dir, name string) (*ecdsa.PrivateKey, error) {
	b, err := read(dir, name)
	if err != nil {
		return nil, err
	}
	return parseKey(b)
}

// der finds the block of a type in PEM text, which may stand behind other text;
// what is no PEM is DER.
func der(b []byte, typ string) []byte {
	if len(b) > maxFile {
		return nil
	}
	for rest := b; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return b
		}
		if block.Type == typ {
			return block.Bytes
		}
	}
}

func parseCert(b []byte) (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(der(b, typeCert))
	if err != nil {
		return nil, fmt.Errorf("%w: certificate: %w", ErrUnusable, err)
	}
	return c, nil
}

func parseKey(b []byte) (*ecdsa.PrivateKey, error) {
	k, err := x509.ParseECPrivateKey(der(b, typeKey))
	if err != nil {
		return nil, fmt.Errorf("%w: key: %w", ErrUnusable, err)
	}
	return k, nil
}
