// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/quorate/quorate/messaging/qnet"
)

// LoadServer gives the TLS configuration of a server. With required it wants a
// certificate of each client; which cluster that may speak for is for the caller
// to check ([Names]).
func LoadServer(dir string, required bool) (*tls.Config, error) {
	pair, root, err := load(dir, serverCert, serverKey)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}
	if required {
		cfg.ClientAuth = tls.RequireAnyClientCert
	}
	cfg.ClientCAs = pool(root)
	cfg.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return nil
		}
		return verify(s, root)
	}
	return cfg, nil
}

// LoadNode gives the TLS configuration of a client. It takes any server whose
// certificate the authority has signed in the name of a server; the host's name
// is not in it.
func LoadNode(dir string) (*tls.Config, error) {
	pair, root, err := load(dir, nodeCert, nodeKey)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair},
		// Certificates of corosync's server have a common name alone, which Go's
		// own check does not look at; ours follows.
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection does it
		VerifyConnection: func(s tls.ConnectionState) error {
			if err := verify(s, root); err != nil {
				return err
			}
			if names := Names(s); !slices.Contains(names, qnet.ServerName) {
				return fmt.Errorf("cert: the certificate is for %q, not for an arbitration server", names)
			}
			return nil
		},
	}, nil
}

// Names are those that the peer's certificate is for.
func Names(s tls.ConnectionState) []string {
	if len(s.PeerCertificates) == 0 {
		return nil
	}
	c := s.PeerCertificates[0]
	return append([]string{c.Subject.CommonName}, c.DNSNames...)
}

func verify(s tls.ConnectionState, root *x509.Certificate) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("cert: the other side sent no certificate")
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: pool(root), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return fmt.Errorf("cert: the other side's certificate: %w", err)
	}
	return nil
}

func pool(root *x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(root)
	return p
}

func load(dir, certName, keyName string) (pair tls.Certificate, root *x509.Certificate, err error) {
	ca, err := read(dir, CAFile)
	if err != nil {
		return pair, nil, err
	}
	if root, err = parseCert(ca); err != nil {
		return pair, nil, err
	}
	c, err := read(dir, certName)
	if err != nil {
		return pair, nil, err
	}
	k, err := read(dir, keyName)
	if err != nil {
		return pair, nil, err
	}
	if pair, err = tls.X509KeyPair(c, k); err != nil {
		return pair, nil, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	return pair, root, nil
}
